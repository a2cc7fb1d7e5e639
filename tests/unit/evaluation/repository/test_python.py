"""Where a text can be taken out of a Python file."""

from __future__ import annotations

import pytest

from copilot_server.evaluation.repository.imports import Modules
from copilot_server.evaluation.repository.python import MAX_BLOCK, python_holes
from copilot_server.evaluation.repository.types import KINDS, Kind
from tests.support.repositories import source

SHAPES = "class Circle: ...\ndef area(shape, unit): ...\n"


def cut(text: str, kind: Kind, where: str = "") -> list[tuple[str, str]]:
    """Return the line up to the cursor, and what was taken out, for each position of a kind."""
    files = {"a.py": text, "shapes.py": SHAPES}
    holes = python_holes(source(text), Modules(files, files.get))
    return [
        (text[: hole.start].rpartition("\n")[2], text[hole.start : hole.end])
        for hole in holes
        if hole.kind == kind and where in ("", hole.where)
    ]


class TestCrossFile:
    def test_after_the_bracket_and_in_the_arguments(self):
        text = "from shapes import area\nsize = area(circle, unit=2) + 1\n"
        assert cut(text, "cross-file") == [
            ("size = area(", "circle, unit=2) + 1"),
            ("size = area(circle, ", "unit=2) + 1"),
        ]

    def test_after_the_dot(self):
        text = "import shapes\nprint(shapes.area(1, 2))\n"
        assert cut(text, "cross-file", "after a dot") == [("print(shapes.", "area(1, 2))")]
        assert cut(text, "cross-file", "after an open bracket") == [("print(shapes.area(", "1, 2))")]

    def test_names_of_the_file_itself_do_not_count(self):
        assert cut("def area(x): ...\nsize = area(circle)\n", "cross-file") == []

    def test_an_argument_on_a_line_of_its_own_is_no_place_in_a_line(self):
        text = "from shapes import area\nsize = area(\n    circle,\n    unit=2,\n)\n"
        assert cut(text, "cross-file") == []

    def test_columns_of_the_syntax_tree_are_bytes(self):
        text = 'from shapes import area\nprint("éé", area("ü", 2))\n'
        assert ('print("éé", area("ü", ', "2))") in cut(text, "cross-file")


class TestAnyLine:
    def test_at_the_start_after_words_and_in_them(self):
        text = "def f(items):\n    return items\n"
        found = cut(text, "any-line")
        assert ("    ", "return items") in found
        assert ("    return ", "items") in found
        assert ("    return it", "ems") in found
        assert ("def ", "f(items):") in found
        assert ("    ret", "urn items") not in found  # a keyword is short or typed whole

    @pytest.mark.parametrize(
        "line",
        [
            "# only a comment",
            "x = 1  # with a comment",
            "import os",
            "from os import (\n    path,\n)",
            '"""A docstring."""',
            'x = """A long\nstring of several lines\n"""',
            'x = f"""A long {y}\nstring\n"""',
        ],
    )
    def test_what_nobody_would_want_suggested(self, line: str):
        assert cut(f"{line}\n", "any-line") == []
        assert cut(f"{line}\nvalue = other\n", "any-line") != []

    def test_nothing_begins_in_a_string(self):
        assert {before for before, _ in cut('x = "some words here"\n', "any-line")} == {"", "x "}


class TestBlocks:
    @pytest.mark.parametrize(
        "header", ["if x:", "for x in y:", "while x:", "with x as y:", "try:", "async for x in y:"]
    )
    def test_the_body_below_a_header(self, header: str):
        text = f"async def f():\n    {header}\n        one()\n        two()\n    finally_ = 3\n"
        text = text.replace("finally_ = 3", "finally:\n        pass") if header == "try:" else text
        assert cut(text, "block")[0] == ("        ", "one()\n        two()")

    def test_a_body_on_the_line_of_its_header_does_not_count(self):
        assert cut("if x: one()\n", "block") == []

    def test_a_body_below_a_comment_does_not_count(self):
        assert cut("if x:\n    # Why.\n    one()\n", "block") == []

    def test_a_long_body_does_not_count(self):
        def body(lines: int) -> str:
            return "if x:\n" + "    one()\n" * lines

        assert len(cut(body(MAX_BLOCK), "block")) == 1
        assert cut(body(MAX_BLOCK + 1), "block") == []


class TestBodies:
    def test_after_the_signature_and_after_the_docstring(self):
        text = (
            'def f():\n    return 1\n\n\nclass C:\n    def g(self):\n        """Say."""\n\n        return 2\n'
        )
        assert cut(text, "function-body", "after the signature") == [("    ", "return 1")]
        assert cut(text, "function-body", "after the docstring") == [("        ", "return 2")]

    @pytest.mark.parametrize("body", ["...", "pass", '"""Only a docstring."""'])
    def test_stubs_do_not_count(self, body: str):
        assert cut(f"def f():\n    {body}\n", "function-body") == []

    def test_a_body_that_begins_with_a_decorated_function(self):
        text = "def f():\n    @wraps\n    def g():\n        return 1\n    return g\n"
        removed = "@wraps\n    def g():\n        return 1\n    return g"
        assert ("    ", removed) in cut(text, "function-body")


@pytest.mark.parametrize("text", ["def f(:\n", "x = 1\r\ny = 2\r\n", "if x:\n\ty = 1\n        z = 2\n"])
def test_files_that_cannot_be_used(text: str):
    assert python_holes(source(text), Modules([], {}.get)) == []


def test_the_rest_of_the_line_is_always_taken_out():
    text = "def f(items):\n    total = sum(items)   \n    return total\n"
    for hole in python_holes(source(text), Modules([], {}.get)):
        assert text[hole.end :].lstrip(" ")[:1] == "\n"
        assert hole.start < hole.end


@pytest.mark.parametrize("kind", KINDS)
def test_an_empty_file_has_none(kind: Kind):
    assert cut("", kind) == []
