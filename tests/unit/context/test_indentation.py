"""Indentation: blanks, columns, and what a document indents by."""

from __future__ import annotations

import pytest

from copilot_server.context.indentation import column, column_of, indent_of, indent_unit


def test_the_blanks_that_a_line_starts_with():
    assert indent_of("  x") == "  "
    assert indent_of("x") == ""
    assert indent_of("\t \f x") == "\t \f "
    assert indent_of("a\n  b", 2) == "  "


@pytest.mark.parametrize(
    ("indent", "tab_width", "reached"),
    [
        ("", 8, 0),
        ("    ", 8, 4),
        ("\t", 8, 8),
        ("  \t", 8, 8),
        ("\t", 4, 4),
        ("  \t ", 4, 5),
        ("    \f  ", 8, 2),
    ],
)
def test_the_column_that_blanks_reach(indent: str, tab_width: int, reached: int):
    assert column(indent, tab_width) == reached
    assert column_of(f"{indent}x y", tab_width) == reached


@pytest.mark.parametrize(
    ("text", "unit"),
    [
        ("", "    "),
        ("x = 1\n", "    "),
        ("def f():\n  x\n", "  "),
        ("if (x) {\n\ty\n}\n", "\t"),
        ("{\n\n   x\n}\na:\n   b\nc:\n  d\n", "   "),
        # Nothing opens a block by a line of its own, but tabs are there.
        ("function f() {\n\t", "\t"),
        ("void F()\n{\n\tint a;\n}\n", "\t"),
        ("x\n  y\n", "    "),
    ],
)
def test_what_a_nested_line_is_indented_by(text: str, unit: str):
    assert indent_unit(text) == unit
