"""Untrusted text as HTML."""

from __future__ import annotations

import pytest

from copilot_server.evaluation.report.html.text import (
    MAX_TEXT,
    code,
    code_at_cursor,
    count,
    escaped,
    line,
    percent,
    percent_html,
)


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("plain", "plain"),
        ("<b>\"'&", "&lt;b&gt;&quot;&#x27;&amp;"),
        ("\x1b[2J\x00", r"\x1b[2J\x00"),
        ("\u202e\u2066", r"\u202e\u2066"),
        ("naïve 数", "naïve 数"),
        ("a\tb\nc", "a\tb\nc"),
    ],
)
def test_markup_and_invisible_characters_are_escaped(text: str, html: str):
    assert escaped(text) == html


def test_a_line_has_no_line_breaks_and_is_cut():
    assert line("a\n b\t c") == "a b c"
    assert line("x" * 11, 10) == "x" * 10 + "…"
    assert line("x" * 10, 10) == "x" * 10


def test_code_marks_escapes_and_says_how_much_is_missing():
    assert code("a\x07<") == ('<pre tabindex="0"><code>a<span class="control">\\x07</span>&lt;</code></pre>')
    assert "(nothing)" in code("")
    assert "more characters" not in code("x" * MAX_TEXT)
    assert "1,234 more characters" in code("x" * (MAX_TEXT + 1234))


def test_code_at_the_cursor_keeps_what_is_near():
    shown = code_at_cursor("a" * MAX_TEXT + "<", ">" + "b" * MAX_TEXT)
    assert '&lt;<mark title="the cursor">▏</mark>&gt;' in shown
    assert f"{MAX_TEXT + 2:,} characters farther away" in shown
    assert "farther away" not in code_at_cursor("a", "b")


def test_numbers():
    assert percent(0.567) == "56.7 %"
    assert percent(-0.1, 0) == "\N{MINUS SIGN}10 %"
    assert percent_html(0.5) == "50.0&#160;%"
    assert (count(1, "task"), count(1200, "task")) == ("1 task", "1,200 tasks")
