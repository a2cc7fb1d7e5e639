"""What says how likely a suggestion is to be right."""

from __future__ import annotations

import pytest

from copilot_server.catalog import Gate
from copilot_server.completion.confidence import LOWEST_LOGPROB, features, is_likely, probability
from copilot_server.completion.types import Candidate
from copilot_server.config import Eagerness
from copilot_server.engine.base import Written
from tests.support.cursor_text import cursor_in

TRACE = (Written(0, -9.0), Written(3, -1.0), Written(4, -3.0), Written(9, -5.0))


def candidate(text: str = "abc\ndefgh", trace: tuple[Written, ...] = TRACE) -> Candidate:
    return Candidate(text, -4.5, "eos", trace=trace)


@pytest.mark.parametrize(
    ("length", "inside"), [(1, [-1.0]), (3, [-1.0]), (4, [-1.0, -3.0]), (5, [-1.0, -3.0, -5.0])]
)
def test_the_tokens_of_a_part_are_those_that_begin_in_it(length: int, inside: list[float]):
    assert candidate().logprobs(length) == inside


@pytest.mark.parametrize("trace", [(), TRACE])
def test_where_no_token_is_in_a_part_the_mean_of_all_stands_for_them(trace: tuple[Written, ...]):
    assert candidate(trace=trace).logprobs(0) == [-4.5]


def test_what_the_user_has_typed_no_longer_counts():
    rest = candidate().after(3)
    assert rest.text == "\ndefgh"
    assert rest.logprobs(1) == [-3.0]
    assert rest.logprobs(9) == [-3.0, -5.0]


@pytest.mark.parametrize(
    ("left", "logprobs"),
    [
        ("abc", [-1.0]),  # the end was cut off
        ("defgh", [-5.0]),  # the first line was left out
        ("  defgh", [-5.0]),  # and the second one indented
        ("x", [-4.5]),  # the model did not write this
    ],
)
def test_the_trace_follows_what_filters_leave_of_a_text(left: str, logprobs: list[float]):
    rewritten = candidate().rewritten(left, 2)
    assert (rewritten.text, rewritten.replaced) == (left, 2)
    assert rewritten.logprobs(len(rewritten.first_line)) == logprobs


@pytest.mark.parametrize(
    ("text", "line"),
    [("", ""), ("a b", "a b"), ("a\nb", "a"), ("a\r\nb", "a"), ("\n    a\nb", "\n    a"), ("\n\n", "\n\n")],
)
def test_the_first_line_is_the_first_that_is_not_blank(text: str, line: str):
    assert candidate(text).first_line == line


def test_features_are_those_of_the_first_line():
    found = features(cursor_in("x = f(‸)\n"), candidate())
    assert (found["mean_logprob"], found["sum_logprob"], found["worst_logprob"]) == (-1.0, -1.0, -1.0)
    assert (
        features(cursor_in("f(‸"), candidate("\nabc", (Written(4, -99.0),)))["mean_logprob"] == LOWEST_LOGPROB
    )


@pytest.mark.parametrize(
    ("drawn", "name"),
    [
        ("    ‸", "at_line_start"),
        ("f(‸", "after_opener"),
        ("f(‸)", "inside_line"),
        ("x.‸", "after_dot"),
        ("x.ab‸", "in_word"),
        ("x = 'ab ‸", "in_string"),
        ("x  # ab ‸", "in_comment"),
    ],
)
def test_the_cursors_surroundings_are_features(drawn: str, name: str):
    assert features(cursor_in(drawn), candidate())[name] == 1.0
    assert features(cursor_in("x = ‸"), candidate())[name] == 0.0


@pytest.mark.parametrize(("eagerness", "shown"), [("low", False), ("medium", True), ("high", True)])
def test_the_eagerness_says_how_likely_a_suggestion_must_be(eagerness: Eagerness, shown: bool):
    gate = Gate("nowhere", 0.0, {}, low=0.6, medium=0.4)
    cursor = cursor_in("x = ‸")
    assert is_likely(gate, eagerness, "line", cursor, candidate()) == shown
    assert is_likely(None, eagerness, "line", cursor, candidate())


def test_the_probability_is_a_logistic_function():
    gate = Gate("nowhere", 1.0, {"mean_logprob": 2.0}, 0.5, 0.3)
    assert probability(gate, {"mean_logprob": -0.5}) == 0.5
    assert probability(gate, {"mean_logprob": 0.0}) == pytest.approx(0.7311, abs=1e-4)
    assert probability(gate, {"mean_logprob": -1e9}) < 1e-20
