"""Where comments begin and end."""

from __future__ import annotations

import pytest

from copilot_server.completion.filters.comments import comments_in, is_in_comment
from copilot_server.completion.scope.scope import situation_at
from copilot_server.context.source.lexer import LexState
from tests.support.cursor_text import cursor_in


@pytest.mark.parametrize(
    ("text", "language", "found"),
    [
        ("a  # b", "python", ["# b"]),
        ("a  # b\n# c\r\nd", "python", ["# b", "# c"]),
        ("'# b'", "python", []),
        ("'''\n# b\n'''  # c", "python", ["# c"]),
        ("a // b", "python", []),
        ("a // b", "rust", ["// b"]),
        ("f('https://b')", "go", []),
        ("background: url(https://b)", "less", []),
        ("a /* b\nc */ d // e", "c", ["/* b\nc */", "// e"]),
        ("a /* b", "css", ["/* b"]),
        ("a - b -- c", "sql", ["-- c"]),
        ("a /* c */", "sql", ["/* c */"]),
        ("echo $# a#b # c", "shellscript", ["# c"]),
        ("#!/bin/sh", "shellscript", []),
        ("<p><!-- a --></p>", "html", ["<!-- a -->"]),
        ("# a", "markdown", []),
        ("#include <a>", "c", []),
        ("// a", "plaintext", []),
    ],
)
def test_the_comments_of_a_text(text: str, language: str, found: list[str]):
    assert [text[one.start : one.end] for one in comments_in(text, language)] == found


def test_what_stands_around_a_comment():
    first, second = comments_in("a /* b */ c\n  // d", "c", "x = ")
    assert (first.before, first.after, first.line_start, first.is_alone) == ("x = a ", " c", 0, False)
    assert (second.before, second.after, second.line_start, second.is_alone) == ("  ", "", 12, True)


def test_a_string_that_is_open_before_the_text_has_no_comments():
    assert list(comments_in("# a", "python", 'print("', LexState(quote='"'))) == []
    assert list(comments_in("# a", "python", "print(", LexState(brackets="(")))


@pytest.mark.parametrize(
    ("text", "language", "line_prefix"),
    [("/ a", "go", "/"), ("-- a", "lua", "-"), ("* a */", "c", "x /"), ("!-- a -->", "html", "<")],
)
def test_a_comment_that_is_begun_before_the_text_does_not_begin_in_it(
    text: str, language: str, line_prefix: str
):
    assert list(comments_in(text, language, line_prefix)) == []
    assert [one.start for one in comments_in(" // b", "go", "/")] == [1]


@pytest.mark.parametrize(
    ("drawn", "language", "inside"),
    [
        ("# a ‸", "python", True),
        ("# a\n‸", "python", False),
        ("/*\n * a ‸\n */", "javascript", True),
        ("/* a */ ‸", "javascript", False),
        ("f('a/*.c'); ‸", "c", False),
        ("// see a/*\n‸", "c", False),
        ("<!-- a ‸ -->", "html", True),
        ("/* a ‸", "markdown", False),
        ("a // 2 /* ‸", "python", False),
    ],
)
def test_whether_the_cursor_is_in_a_comment(drawn: str, language: str, inside: bool):
    assert is_in_comment(situation_at(cursor_in(drawn, language))) is inside
