"""The closers that stand after the cursor while a line is typed."""

from __future__ import annotations

import pytest

from copilot_server.context.source.lexer import LexState
from copilot_server.evaluation.repository.closers import kept_closers, only_closers_left, state_before_line


@pytest.mark.parametrize(
    ("line", "kept"),
    [
        ("x = f(‸a)", ")"),
        ("x = f(a[‸b], c).d", "])"),
        ("x = f(a, ‸{b: c})", ")"),
        ("x = ‸f(a)", ""),
        ("x = f(a)‸.b", ""),
        ("x = f(‸a,", ""),  # closed on a later line
        ("x = f([‸a],", "]"),
        ('x = f("‸a")', '")'),
        ("x = 'a‸b'", "'"),
        ("# f(‸a)", ""),
        ('x = """‸a"""', ""),  # no editor pairs these alike
    ],
)
def test_what_was_opened_on_the_line_and_is_closed_on_it(line: str, kept: str):
    begun, rest = line.split("‸")
    assert kept_closers(begun, rest, LexState(), "python") == kept


def test_what_was_opened_above_is_not_closed_by_the_editor():
    state = state_before_line("call(\n    first, ", "python")
    assert state.brackets == "("
    assert kept_closers("    first, ", "second[1])", state, "python") == ""
    assert kept_closers("    first[", "1])", state, "python") == "]"


def test_a_line_is_done_when_only_its_closers_are_left():
    assert only_closers_left(")", ")")
    assert only_closers_left("", "")
    assert only_closers_left(") ", ")")
    assert not only_closers_left("):", ")")
    assert not only_closers_left(")", "")
