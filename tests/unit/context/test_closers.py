"""Closers: which characters after a cursor leave its line free, in which language."""

from __future__ import annotations

import pytest

from copilot_server.context.closers import closing_run, has_only_closers, is_free, may_be_inserted


@pytest.mark.parametrize(
    ("before", "after", "language", "run"),
    [
        ("f(", ");", "python", ");"),
        ("f(", ") + 1", "python", ") "),
        ("x = ", "y", "python", ""),
        ("const x: Array<", ">;", "typescript", ">;"),
        ("const x: Map<string, Array<", ">>();", "typescript", ">>"),
        ("let x: Vec::<", ">();", "rust", ">"),
        ("std::vector<", "> v;", "cpp", "> "),
        ("#include <", ">", "c", ">"),
        ("List<", "> x", "java", "> "),
        ("<div", "></div>", "html", ">"),
        ("return <div", ">", "typescriptreact", ">"),
        # One `<` is open, not two.
        ("Array<", ">>", "typescript", ">"),
        # Operators.
        ("if (a ", "> b)", "typescript", ""),
        ("if (a", ">b)", "typescript", ""),
        ("if (a < b ", "> c)", "typescript", ""),
        ("if (i <= n ", "> c)", "cpp", ""),
        ("x << 2 ", "> c", "cpp", ""),
        ("Array<", ">= 3", "typescript", ""),
        ("p", "->x", "cpp", ""),
        ("(x) ", "=> x", "typescript", ""),
        ("Array<T>", "> b", "typescript", ""),
        # No angle brackets there.
        ("x <a", ">", "python", ""),
        ("if x <a", ">", "go", ""),
        ('f("<', '">', "typescript", '"'),
    ],
)
def test_the_run_of_closers(before: str, after: str, language: str, run: str):
    assert closing_run(before, after, language) == run


@pytest.mark.parametrize(
    ("before", "after", "language", "free"),
    [
        ("x = f(", ")", "python", True),
        ("x = f(", ") ", "python", True),
        ("x = f(", ")y", "python", False),
        ("Array<", ">;", "typescript", True),
        ("a ", ">;", "typescript", False),
        ("Array<", ">;", "python", False),
    ],
)
def test_a_line_is_free_before_closers_alone(before: str, after: str, language: str, free: bool):
    assert is_free(before, after, language) is free


def test_what_an_editor_inserts_by_itself():
    assert may_be_inserted(")]}\"'`>")
    assert may_be_inserted(">", "rust")
    assert may_be_inserted(")", "python")
    assert not may_be_inserted(">", "python")
    assert not may_be_inserted(") x")
    assert not may_be_inserted("")


@pytest.mark.parametrize(
    ("text", "language", "in_string", "only"),
    [
        (")", "python", False, True),
        ("\n    }\n});", "javascript", False, True),
        ('"):', "python", True, True),
        (">>;", "rust", False, True),
        (">", "python", False, False),
        ('"")', "python", False, False),  # an empty string
        ("()", "python", False, False),
        ("x)", "python", False, False),
    ],
)
def test_texts_of_closers_alone(text: str, language: str, in_string: bool, only: bool):
    assert has_only_closers(text, language, in_string=in_string) is only
