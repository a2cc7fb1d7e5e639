"""The events of a completion, in both formats of log-probabilities."""

from __future__ import annotations

import pytest

from copilot_server.engine.backends.remote.answers import Piece, Token, read_piece
from copilot_server.engine.backends.remote.failures import Unanswered


def test_both_forms_of_log_probabilities_are_read() -> None:
    legacy = (
        '{"choices": [{"index": 0, "text": "ab", "finish_reason": null, "logprobs": {"tokens": ["a", "b"],'
        ' "token_logprobs": [-0.1, null], "top_logprobs": [{"a": -0.1, "c": -2}, null]}}]}'
    )
    chat = (
        '{"choices": [{"index": 0, "text": "ab", "logprobs": {"content": [{"token": "a", "logprob": -0.1,'
        ' "top_logprobs": [{"token": "a", "logprob": -0.1}, {"token": "c", "logprob": -2}]},'
        ' {"token": "b", "logprob": 0}]}}]}'
    )
    wanted = Piece("ab", (Token("a", -0.1, (("a", -0.1), ("c", -2.0))), Token("b", 0.0)))
    assert read_piece(legacy) == wanted
    assert read_piece(chat) == wanted


def test_how_an_answer_ended_is_read() -> None:
    ended = read_piece(
        '{"choices": [{"text": "", "finish_reason": "stop", "stop_reason": "\\n"}], "usage": {}}'
    )
    assert ended == Piece("", finish="stop", stopped_by="\n")
    by_id = read_piece('{"choices": [{"text": "", "finish_reason": "stop", "stop_reason": 151645}]}')
    assert by_id == Piece("", finish="stop")
    assert read_piece('{"choices": [], "usage": {"prompt_tokens": 3}}') is None


@pytest.mark.parametrize(
    "data",
    [
        "nonsense",
        "[1]",
        "null",
        "{}",
        '{"choices": [{}]}',
        '{"choices": {"a": 1}}',
        '{"choices": [{"text": 5}]}',
        '{"choices": ["text"]}',
        '{"choices": [{"text": "a", "logprobs": {"tokens": ["a"], "token_logprobs": []}}]}',
        '{"choices": [{"text": "a", "logprobs": {"content": [{"token": 1, "logprob": 2}]}}]}',
        '{"choices": [{"text": "a", "logprobs": {"content": 7}}]}',
        '{"choices": [{"text": "a", "finish_reason": "abort"}]}',
        '{"choices": [{"text": "a", "finish_reason": ["stop"]}]}',
        '{"error": {"message": "secret source", "code": 500}}',
    ],
)
def test_what_is_no_answer_is_a_failure_that_quotes_nothing(data: str) -> None:
    with pytest.raises(Unanswered) as raised:
        read_piece(data)
    assert "secret" not in str(raised.value)


def test_a_log_probability_that_is_no_number_counts_for_nothing() -> None:
    piece = read_piece(
        '{"choices": [{"text": "a", "logprobs": {"tokens": ["a"], "token_logprobs": [-Infinity]}}]}'
    )
    assert piece == Piece("a", (Token("a", 0.0),))
