"""The lexer in languages other than Python; ``test_syntax`` reads Python through it."""

from __future__ import annotations

import pytest

from copilot_server.context.source.lexer import LexState, lex


def state_after(text: str, language: str, *, angles: bool = False) -> LexState:
    return lex(text, language=language, angles=angles).state


@pytest.mark.parametrize(
    ("language", "comment"),
    [("typescript", "// don't ("), ("ruby", "# don't ("), ("sql", "-- don't ("), ("php", "# don't (")],
)
def test_a_comment_opens_nothing(language: str, comment: str):
    assert state_after(comment, language).in_comment
    assert state_after(f"{comment}\nf(", language) == LexState(brackets="(")


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("ruby", "// ("),
        ("typescript", "# ("),
        ("typescript", "x-- ("),
        ("shellscript", "${#x[("),
        ("php", "#[Attribute("),
        ("plaintext", "// ("),
    ],
)
def test_another_language_s_sign_begins_no_comment(language: str, text: str):
    assert not state_after(text, language).in_comment
    assert state_after(text, language).brackets.endswith("(")


def test_a_lifetime_is_no_quote():
    assert state_after("fn f(x: &'a str, c: char = 'x', y: &'static ", "rust") == LexState(brackets="(")
    assert state_after("c = '", "rust").quote == "'"


def test_an_apostrophe_in_the_text_of_markup_is_no_quote():
    assert state_after("<p>don't (", "html") == LexState(brackets="(")
    assert state_after('<a href="(', "html").quote == '"'
    assert state_after("f('(", "html").quote == "'"


@pytest.mark.parametrize(
    ("text", "brackets"),
    [
        ("Array<", "<"),
        ("Map<string, Array<", "<<"),
        ("f(Map<string, Array<T>>", "("),
        ("f(a <b)", ""),
        ("a < b", ""),
        ("a <= b", ""),
        ("a << b", ""),
        ("a -> b => c >= d", ""),
        ("x = a <b\ny", ""),
        ("f(Array<T\n", "(<"),
    ],
)
def test_angle_brackets_where_they_are_asked_for(text: str, brackets: str):
    assert state_after(text, "typescript", angles=True).brackets == brackets
    assert "<" not in state_after(text, "typescript").brackets


def test_an_angle_bracket_closes_what_was_open_before():
    state = LexState(brackets="(<")
    assert lex("string>)", state=state, language="java", angles=True).closers == (7, 8)
    assert lex("string)", state=state, language="java", angles=True).closers == (7,)
