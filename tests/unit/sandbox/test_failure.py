"""What is said of a program's failure."""

from __future__ import annotations

import traceback

import pytest

from copilot_server.sandbox.failure import MAX_CHARACTERS, describe, statement

NAME = "<program>"


def raised_by(source: str) -> BaseException:
    with pytest.raises(BaseException) as caught:  # noqa: PT011 - whatever the source raises
        exec(compile(source, NAME, "exec"), {})
    return caught.value


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("1 / 0", "ZeroDivisionError: division by zero"),
        ("raise ValueError", "ValueError"),
        ("assert 1 == 2, 'message'", "AssertionError: message"),
        ("def f():\n    assert 1 == 2\nf()", "AssertionError: assert 1 == 2"),
        ("class E(Exception):\n    def __str__(self): return 1 / 0\nraise E", "E"),
        ("raise type('', (Exception,), {})", "an error without a name"),
    ],
)
def test_an_error_is_described_by_its_type_and_message(source: str, said: str):
    assert describe(raised_by(source), {NAME: source}) == said


def test_an_assert_of_another_file_is_not_quoted():
    source = "assert 1 == 2"
    assert describe(raised_by(source), {}) == "AssertionError"


def test_a_description_is_short():
    assert len(describe(ValueError("x" * 10_000), {})) == MAX_CHARACTERS


def test_the_innermost_statement_is_found_whole():
    source = "for x in range(3):\n    assert x == [\n        x,\n    ], 'message'\n"
    frames = list(traceback.walk_tb(raised_by(source).__traceback__))
    assert statement(frames, NAME, source) == "assert x == [\n        x,\n    ], 'message'"
    assert statement(frames, "<another>", source) == ""
