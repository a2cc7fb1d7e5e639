"""The parts of the engine elsewhere by themselves: where it is, its key, its answers, its circuit breaker."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from copilot_server.catalog import all_manifests, find, find_served
from copilot_server.engine.backends.remote.answers import Piece, Token, read_piece
from copilot_server.engine.backends.remote.api_key import VARIABLE, ApiKey
from copilot_server.engine.backends.remote.breaker import Breaker
from copilot_server.engine.backends.remote.counting import estimate_tokens
from copilot_server.engine.backends.remote.endpoint import read_endpoints
from copilot_server.engine.backends.remote.failures import Unanswered
from copilot_server.engine.backends.remote.sse import LONGEST_LINE, event_data
from copilot_server.errors import ConfigError

# Where it is.


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:8000", "http://127.0.0.1:8000/", "http://127.0.0.1:8000/v1/completions"]
)
def test_a_url_is_taken_as_one_copies_it(url: str) -> None:
    (endpoint,) = read_endpoints([url], allow_http=False)
    assert endpoint.api == "http://127.0.0.1:8000/v1"
    assert endpoint.root == "http://127.0.0.1:8000"
    assert endpoint.host == "127.0.0.1:8000"


def test_a_path_before_the_api_is_kept() -> None:
    (endpoint,) = read_endpoints(["https://example.com/team/v1"], allow_http=False)
    assert endpoint.api == "https://example.com/team/v1"


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.8.9.1", "[::1]", "llm.localhost"])
def test_source_may_go_unencrypted_to_this_machine(host: str) -> None:
    assert read_endpoints([f"http://{host}:80"], allow_http=False)


@pytest.mark.parametrize(
    "host", ["example.com", "10.0.0.7", "localhost.example.com", "127.0.0.1.nip.io", "[fe80::1]"]
)
def test_source_goes_nowhere_else_unencrypted_unless_that_is_allowed(host: str) -> None:
    with pytest.raises(ConfigError, match=r"unencrypted.*remote\.allow_http"):
        read_endpoints([f"http://{host}"], allow_http=False)
    assert read_endpoints([f"http://{host}"], allow_http=True)
    assert read_endpoints([f"https://{host}"], allow_http=False)


def test_an_engine_named_twice_is_one() -> None:
    assert len(read_endpoints(["https://a.com", "https://a.com/v1", "https://b.com"], allow_http=False)) == 2


# Its key.


def signed(key: ApiKey) -> str | None:
    request = httpx.Request("GET", "https://example.com")
    next(key.auth_flow(request))
    return request.headers.get("Authorization")


def test_a_key_is_read_anew_for_each_request(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "other")
    file = tmp_path / "key"
    file.write_text("first\n")
    key = ApiKey(str(file))
    assert signed(key) == "Bearer first"
    file.write_text("second")
    assert signed(key) == "Bearer second"
    assert "second" not in repr(key)


def test_the_environment_has_the_key_where_no_file_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "mine")
    assert signed(ApiKey("")) == "Bearer mine"
    monkeypatch.delenv(VARIABLE)
    assert signed(ApiKey("")) is None


@pytest.mark.parametrize("text", ["", "two\nlines", "schlüssel", None])
def test_a_file_without_a_key_is_an_error_that_shows_nothing_of_it(tmp_path: Path, text: str | None) -> None:
    file = tmp_path / "key"
    if text is not None:
        file.write_text(text, "utf-8")
    with pytest.raises(ConfigError) as raised:
        ApiKey(str(file))
    assert str(file) in str(raised.value)
    assert not text or text not in str(raised.value)


# Its events.


async def chunks(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


async def data_of(*parts: bytes) -> list[str]:
    return [data async for data in event_data(chunks(*parts))]


async def test_events_are_found_however_the_network_cuts_them() -> None:
    stream = (
        'data: {"a": "ä"}\r\n\r\n: a comment\nevent: x\n\ndata:b\n\ndata: [DONE]\n\ndata: late\n'.encode()
    )
    for size in (1, 2, 3, 7, 1000):
        parts = [stream[start : start + size] for start in range(0, len(stream), size)]
        assert await data_of(*parts) == ['{"a": "ä"}', "b"]


@pytest.mark.parametrize(
    "stream",
    [
        b"<html>\n",
        b"data: caf\xc3\n",
        b'data: {"half": ',
        b"\x00\xff\n",
        b"data: " + b"x" * (LONGEST_LINE + 10),
    ],
)
async def test_what_is_no_event_is_a_failure(stream: bytes) -> None:
    with pytest.raises(Unanswered, match="no completion"):
        await data_of(stream)


# Its answers.


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


# Its circuit breaker.


class Clock:
    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def test_three_failures_in_a_row_open_the_circuit_and_a_success_between_counts_anew() -> None:
    breaker = Breaker(Clock())
    for _ in range(2):
        breaker.failed("fails", at_once=False)
    breaker.succeeded()
    for _ in range(2):
        breaker.failed("fails", at_once=False)
    assert breaker.state == "closed"
    breaker.failed("fails", at_once=False)
    assert (breaker.state, breaker.trouble) == ("open", "fails")


def test_it_stays_open_twice_as_long_after_each_trial_that_fails_up_to_a_limit() -> None:
    clock = Clock()
    breaker = Breaker(clock)
    waits = []
    for _ in range(8):
        breaker.failed("is away", at_once=True)
        breaker.failed("is away", at_once=True)  # of another request that was under way
        waits.append(breaker.waits_s)
        clock.now_s += waits[-1]
        assert breaker.waits_s == 0
        breaker.try_again()
    assert waits == [0.5, 1, 2, 4, 8, 15, 15, 15]
    breaker.succeeded()
    breaker.failed("is away", at_once=True)
    assert breaker.waits_s == 0.5


# What it serves, and how much it reads.


@pytest.mark.parametrize(
    ("name", "model_id"),
    [
        ("Qwen/Qwen2.5-Coder-7B-Instruct-AWQ", "qwen2.5-coder-7b"),
        ("/models/qwen2.5-coder-0.5b-instruct-q4_k_m.gguf", "qwen2.5-coder-0.5b"),
        ("qwen2.5-coder-1.5b", "qwen2.5-coder-1.5b"),
        ("bigcode/starcoder2-3b", "starcoder2-3b"),
        ("gpt-4", None),
        ("qwen2.5-coder-0.55b", None),
    ],
)
def test_a_served_model_is_known_by_its_name(name: str, model_id: str | None) -> None:
    found = find_served(name)
    assert (found.id if found else None) == model_id


def test_the_control_tokens_of_a_model_are_names_of_tokens_alone() -> None:
    for manifest in all_manifests():
        assert all(name[0] == "<" and name[-1] == ">" for name in manifest.control_tokens)
    assert find("qwen2.5-coder-0.5b").control_tokens >= {"<|fim_pad|>", "<|im_end|>"}


def test_an_estimate_grows_with_the_text_and_none_is_nothing() -> None:
    assert estimate_tokens("") == 0
    assert estimate_tokens("x") == 1
    assert estimate_tokens("def f(x):\n    return x\n" * 10) == 10 * estimate_tokens(
        "def f(x):\n    return x\n"
    )
