"""How the filters look at the lines of a text."""

from __future__ import annotations

from copilot_server.completion.filters.draft import lexed, line_starts, visible_lines, with_line_feeds
from copilot_server.completion.scope.scope import situation_at
from tests.support.cursor_text import cursor_in


def test_every_line_end_becomes_a_line_feed():
    assert with_line_feeds("a\r\nb\rc\nd") == "a\nb\nc\nd"


def test_lines_start_after_line_ends_outside_strings():
    in_code = situation_at(cursor_in("x = ‸"))
    assert line_starts('1\ny = """\n"""\nz', in_code) == [2, 14]
    assert line_starts("x\ny", situation_at(cursor_in("‸"))) == [0, 2]


def test_a_text_is_read_as_what_follows_the_cursor():
    assert lexed("x)", situation_at(cursor_in("f(‸"))).closers == (2,)
    assert lexed("x)", situation_at(cursor_in("f‸"))).closers == ()


def test_blank_lines_and_ends_are_not_visible():
    assert visible_lines("a  \r\n\n  b\t\n  \n") == ["a", "  b"]
