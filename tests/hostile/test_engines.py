"""Hostile engines: whatever one answers, it costs bounded memory and time, and the other engines serve on."""

from __future__ import annotations

import gzip
import json
import threading
import tracemalloc
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from copilot_server.config import RemoteSettings, Settings
from copilot_server.engine.backends.remote import remote_engine, transport
from copilot_server.engine.backends.remote.connecting import connect
from copilot_server.engine.backends.remote.remote_engine import RemoteEngine
from copilot_server.engine.base import Generation, GenerationRequest, Prompt, Sampling
from copilot_server.errors import EngineError, EngineUnavailableError
from tests.support.hostile_engine import (
    EVENTS,
    HONEST,
    MODEL,
    Answer,
    HostileEngine,
    event,
    head,
    models,
    repeated,
    whole,
)
from tests.support.patience import wait_until

NEVER = threading.Event()
DEPTH = 200_000
DEEP = b"[" * DEPTH + b"]" * DEPTH
#: 64 MiB that a kilobyte or so describes; far more than any list of models.
BOMB = gzip.compress(b"[" + b" " * (64 << 20) + b"]")
JSON = head("application/json")
STREAM = "text/event-stream"
#: The most memory, in bytes, that any answer may cost.
MOST_MEMORY = 48 << 20


@contextmanager
def connected(*engines: HostileEngine, connect_timeout_s: float = 60.0) -> Iterator[RemoteEngine]:
    remote = RemoteSettings(connect_timeout_s=connect_timeout_s, read_timeout_s=60.0, deadline_s=120.0)
    engine = connect(Settings(engine=tuple(one.url for one in engines), remote=remote))
    try:
        yield engine
    finally:
        engine.close()


@contextmanager
def beside_an_honest_one(hostile: HostileEngine) -> Iterator[tuple[RemoteEngine, HostileEngine]]:
    """Connect to a hostile engine and an honest one."""
    with HostileEngine() as honest, connected(hostile, honest) as engine:
        yield engine, honest


def generate(engine: RemoteEngine, most: int = 8) -> Generation:
    request = GenerationRequest(Prompt(("x = ",)), Sampling(max_new_tokens=most))
    return engine.generate(request, NEVER)[0]


def states(engine: RemoteEngine) -> dict[str, str]:
    return {f"http://{one.host}": one.state for one in engine.endpoints}


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Answers about an engine itself may take little time in all."""
    monkeypatch.setattr(transport, "WHOLE_S", 0.2)


def trickled(begin: bytes) -> Answer:
    """A byte now and then, so that no single wait for one is long, for a minute."""
    return repeated(begin, b" ", times=1200, pause_s=0.05)


def flood(begin: bytes) -> Answer:
    """64 MiB of blanks, unless the client hangs up before."""
    return repeated(begin, b" " * 65_536, times=1024)


VLLM = whole(models(MODEL, owned_by="vllm"))
#: Answers about the engine itself that make it unusable. None is waited for or kept without limit.
ABOUT: dict[str, dict[str, Answer]] = {
    "deep-models": {"v1/models": whole(DEEP)},
    "deep-object": {"v1/models": whole(b'{"data":' * DEPTH + b"1" + b"}" * DEPTH)},
    "endless-models": {"v1/models": flood(JSON + b'{"data": [')},
    "endless-health": {"health": flood(JSON)},
    "bomb-models": {"v1/models": whole(BOMB, "content-encoding: gzip")},
    "bomb-health": {"health": whole(BOMB, "content-encoding: gzip")},
    "bomb-in-bomb": {"v1/models": whole(gzip.compress(BOMB), "content-encoding: gzip, gzip")},
    "another-encoding": {"v1/models": whole(b"\x28\xb5\x2f\xfd", "content-encoding: zstd")},
    "half-a-surrogate": {"v1/models": whole(models("a\ud800b"))},
    "endless-name": {"v1/models": whole(models("x" * 1_000_000))},
    "names-of-other-types": {"v1/models": whole(models(7, [1], {}))},
    "deep-version": {"v1/models": VLLM, "version": whole(DEEP)},
    "endless-version": {"v1/models": VLLM, "version": flood(JSON + b"{")},
    "deep-props": {"v1/models": whole(models(MODEL, owned_by="llamacpp")), "props": whole(DEEP)},
}


@pytest.mark.parametrize("attempt", ABOUT)
def test_hostile_engine_that_lies_about_itself_is_not_used_and_holds_up_no_other(attempt: str) -> None:
    with HostileEngine(ABOUT[attempt]) as hostile:
        tracemalloc.start()
        try:
            with beside_an_honest_one(hostile) as (engine, honest):
                assert states(engine) == {hostile.url: "open", honest.url: "closed"}
                assert [generate(engine).text for _ in range(3)] == ["1"] * 3
                assert hostile.asked["v1/completions"] == 0
            assert tracemalloc.get_traced_memory()[1] < MOST_MEMORY
        finally:
            tracemalloc.stop()


TRICKLED: dict[str, dict[str, Answer]] = {
    "models": {"v1/models": trickled(JSON + b"{")},
    "health": {"health": trickled(JSON)},
    "head": {"health": trickled(b"HTTP/1.1 200 OK\r\nx: y")},
    "version": {"v1/models": VLLM, "version": trickled(JSON + b"{")},
}


@pytest.mark.usefixtures("hurried")
@pytest.mark.parametrize("attempt", TRICKLED)
def test_hostile_answer_that_trickles_in_is_given_up(attempt: str) -> None:
    """Each wait for a byte is short, so only the time in all says that this leads nowhere."""
    with HostileEngine(TRICKLED[attempt]) as hostile:
        with (
            pytest.raises(EngineUnavailableError, match="gave no complete answer"),
            connected(hostile, connect_timeout_s=1.0),
        ):
            pass
        (path,) = TRICKLED[attempt].keys() - {"v1/models"} or {"v1/models"}
        wait_until(lambda: hostile.hung_up[path], "the client to hang up")


#: What honest engines answer in these places.
TWINS: dict[str, dict[str, Answer]] = {
    "plain": {},
    "health-as-a-page": {"health": whole(b"<html>" + b" " * 100_000, kind="text/html")},
    "health-unknown": {"health": whole(b"", status="404 Not Found")},
    "in-pieces": {"v1/models": lambda write: [write(bytes([one])) for one in JSON + models(MODEL)]},
    "gzip": {"v1/models": whole(gzip.compress(models(MODEL)), "content-encoding: gzip")},
    "deflate": {"v1/models": whole(zlib.compress(models(MODEL)), "content-encoding: deflate")},
    "a-long-list": {"v1/models": whole(models(MODEL, description="x" * 1_000_000))},
    "a-path-as-name": {"v1/models": whole(models("/models/" + "folder/" * 100 + "model.gguf"))},
    "vllm": {"v1/models": VLLM, "version": whole(b'{"version": "0.32"}')},
}


@pytest.mark.parametrize("twin", TWINS)
def test_benign_engine_is_used(twin: str) -> None:
    with HostileEngine(TWINS[twin]) as one, connected(one) as engine:
        assert states(engine) == {one.url: "closed"}
        assert generate(engine).text == "1"


@pytest.mark.parametrize("attempt", ["deep-models", "endless-models", "deep-version"])
def test_hostile_turn_of_an_engine_does_not_end_the_watch(attempt: str) -> None:
    """The honest engine fails, and is found again once it works."""
    down = {"v1/models": whole(b"", status="503 Service Unavailable")}
    with HostileEngine(down) as hostile, beside_an_honest_one(hostile) as (engine, honest):
        hostile.answers |= ABOUT[attempt]
        asked = hostile.asked["v1/models"]
        wait_until(lambda: hostile.asked["v1/models"] > asked + 1, "two checks of the hostile engine")
        honest.answers["v1/completions"] = whole(b"", status="503 Service Unavailable")
        with pytest.raises(EngineError):
            generate(engine)
        honest.answers |= HONEST
        wait_until(lambda: states(engine)[honest.url] != "open", "the honest engine")
        assert generate(engine).text == "1"


def tokens(value: object) -> Answer:
    return whole(json.dumps({"tokens": value}).encode())


TOKENIZE: dict[str, Answer] = {
    "deep": whole(DEEP),
    "endless": flood(JSON + b'{"tokens": ['),
    "bomb": whole(BOMB, "content-encoding: gzip"),
    "huge-id": tokens([10**400]),
    "negative-id": tokens([-1]),
    "truth-as-id": tokens([True]),
}


@pytest.mark.parametrize("attempt", TOKENIZE)
def test_hostile_engine_that_lies_about_tokens_is_asked_without_control_tokens(attempt: str) -> None:
    answers = {"v1/models": VLLM, "version": whole(b"{}"), "tokenize": TOKENIZE[attempt]}
    with HostileEngine(answers) as hostile, connected(hostile) as engine:
        assert generate(engine).text == "1"
        assert "stop_token_ids" not in json.loads(hostile.bodies[-1])


def test_benign_engines_control_tokens_end_its_answers() -> None:
    answers = {"v1/models": VLLM, "version": whole(b"{}"), "tokenize": tokens([151_645])}
    with HostileEngine(answers) as honest, connected(honest) as engine:
        assert generate(engine).text == "1"
        assert set(json.loads(honest.bodies[-1])["stop_token_ids"]) == {151_645}


NO_TEXT = {"tokens": [""], "token_logprobs": [0.0]}
CONTROL = NO_TEXT | {"tokens": ["<|im_end|>"]}
EMPTY_TOKENS = {"tokens": [""] * 9_000, "token_logprobs": [0] * 9_000}
HUGE = {"tokens": ["1"], "token_logprobs": [10**400]}
ALTERNATIVES = {
    "tokens": ["1"],
    "token_logprobs": [0],
    "top_logprobs": [{f"token {number}": -1.0 for number in range(20)}],
}
#: Completions that go on and on; each would end by itself after 64 MiB or so.
ENDLESS: dict[str, Answer] = {
    "text-without-tokens": repeated(EVENTS, event("x" * 3_000, logprobs=NO_TEXT)),
    "much-text-in-each-event": repeated(EVENTS, event("x" * 500_000), times=100),
    "text-beside-control-tokens": repeated(
        EVENTS, event("x" * 3_000, logprobs=NO_TEXT | {"tokens": ["<|im_end|>"]})
    ),
    "neither-text-nor-tokens": repeated(EVENTS, event("") * 100, times=8_000),
    "no-choices": repeated(EVENTS, b'data: {"choices": []}\n\n' * 100, times=25_000),
    "comments": repeated(EVENTS, b": still here\n" * 1_000, times=5_000),
    "tokens-without-text": repeated(
        EVENTS, event("", logprobs={"tokens": [""] * 9_000, "token_logprobs": [0] * 9_000})
    ),
    "bomb": whole(gzip.compress(event("") * 1_000_000), "content-encoding: gzip", kind=STREAM),
    "one-line": repeated(EVENTS + b"data: ", b"x" * 65_536, times=1024),
}
#: Completions that are wrong in themselves.
WRONG: dict[str, Answer] = {
    "deep": whole(b"data: " + DEEP + b"\n\n", kind=STREAM),
    "deep-choice": whole(b'data: {"choices":' + DEEP + b"}\n\n", kind=STREAM),
    "huge-logprob": whole(event("1", logprobs=HUGE), kind=STREAM),
    "list-as-reason": whole(event("1", ["stop"]), kind=STREAM),  # type: ignore[arg-type]
    "another-encoding": whole(b"\x28\xb5\x2f\xfd", "content-encoding: zstd", kind=STREAM),
}


@pytest.mark.parametrize("attempt", ENDLESS | WRONG)
def test_hostile_answer_is_an_error_and_costs_little_memory(attempt: str) -> None:
    with (
        HostileEngine({"v1/completions": (ENDLESS | WRONG)[attempt]}) as hostile,
        connected(hostile) as engine,
    ):
        tracemalloc.start()
        try:
            with pytest.raises(EngineError):
                generate(engine)
            assert tracemalloc.get_traced_memory()[1] < MOST_MEMORY
        finally:
            tracemalloc.stop()
        hostile.answers |= HONEST
        assert generate(engine).text == "1"


#: Honest completions that come near to those.
ANSWERS: dict[str, tuple[bytes, str]] = {
    "long-tokens": (event(" " * 128) * 7 + event("1"), " " * 896 + "1"),
    "text-held-back": (event("") * 50 + event("1"), "1"),
    "comments": (b": still here\n" * 500 + event("1"), "1"),
    "many-alternatives": (event("1", logprobs=ALTERNATIVES), "1"),
    # A character that is cut at the end of an answer is left out.
    "half-a-surrogate": (event("1\ud8002"), "1\ufffd2"),
}


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("twin", ANSWERS)
def test_benign_answer_is_taken_whole(twin: str, *, compressed: bool) -> None:
    stream, text = ANSWERS[twin]
    stream += event("", "stop")
    fields = ("content-encoding: gzip",) if compressed else ()
    answer = whole(gzip.compress(stream) if compressed else stream, *fields, kind=STREAM)
    with HostileEngine({"v1/completions": answer}) as honest, connected(honest) as engine:
        assert generate(engine).text == text


@pytest.mark.parametrize("name", ["[INST]", "</s>", "<start_of_turn>", "<|endoftext|>"])
def test_hostile_users_text_holds_no_control_token_of_a_model_that_nobody_knows(name: str) -> None:
    request = GenerationRequest(Prompt((f"x = '{name}",)), Sampling(max_new_tokens=8))
    with HostileEngine() as honest, connected(honest) as engine:
        assert engine.generate(request, NEVER)[0].text == "1"
        prompt = json.loads(honest.bodies[-1])["prompt"]
    assert name not in prompt
    assert prompt.replace("\u200b", "") == f"x = '{name}"


def cookies(number: int) -> tuple[str, ...]:
    return tuple(f"set-cookie: c{number}-{one}={'x' * 500}; path=/; max-age=9999" for one in range(20))


@pytest.mark.parametrize("path", ["health", "v1/models", "v1/completions"])
def test_hostile_engines_cookies_are_neither_kept_nor_sent_back(path: str) -> None:
    """Kept, they would grow with each answer, and tell an engine which sessions are one user's."""
    stream = event("1") + event("", "stop")
    answers = {
        "health": lambda number: whole(b"{}", *cookies(number)),
        "v1/models": lambda number: whole(models(MODEL), *cookies(number)),
        "v1/completions": lambda number: whole(stream, *cookies(number), kind=STREAM),
    }
    with HostileEngine({path: answers[path](0)}) as hostile, connected(hostile) as engine:
        for number in range(1, 4):
            hostile.answers[path] = answers[path](number)
            assert generate(engine).text == "1"
        assert b"cookie" not in hostile.fields
        assert b"accept-encoding" in hostile.fields  # the twin: what is sent is seen
        assert [list(one.client.cookies.jar) for one in engine._replicas.all] == [[]]


def batch(engine: RemoteEngine, size: int = 3) -> list[str]:
    asked = [
        GenerationRequest(Prompt((f"x{number} = ",)), Sampling(max_new_tokens=8)) for number in range(size)
    ]
    return [one.text for (one,) in engine.generate_batch(asked, NEVER, batch_size=2)]


#: Answers that are never silent for as long as a batch waits for its turn.
SLOW = {
    "comments": repeated(EVENTS, b": still here\n", times=1200, pause_s=0.05),
    "text": repeated(EVENTS + event("1"), event(""), times=1200, pause_s=0.05),
    "head": trickled(b"HTTP/1.1 200 OK\r\nx: y"),
}


@pytest.mark.parametrize("attempt", SLOW)
def test_hostile_engine_that_is_slow_ends_a_batch(attempt: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote_engine, "BATCH_DEADLINE_S", 1.5)
    with HostileEngine({"v1/completions": SLOW[attempt]}) as hostile, connected(hostile) as engine:
        with pytest.raises(EngineUnavailableError, match=r"gave no complete answer in 1\.5 s"):
            batch(engine)
        assert hostile.asked["v1/completions"] <= 2  # none is asked again after the deadline


def test_hostile_engine_that_is_always_busy_ends_a_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote_engine, "BATCH_DEADLINE_S", 0.5)
    busy = whole(b"", "retry-after: 30", status="429 Too Many Requests")
    with (
        HostileEngine({"v1/completions": busy}) as hostile,
        connected(hostile) as engine,
        pytest.raises(EngineUnavailableError, match=r"in 0\.5 s"),
    ):
        batch(engine)


def test_benign_engine_that_is_slow_has_the_time_of_a_batch_for_each_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stream = EVENTS + b": still here\n"
    slow = repeated(stream, b": still here\n", times=4, pause_s=0.05)

    def answer(write: Callable[[bytes], object]) -> None:
        slow(write)
        write(event("1") + event("", "stop"))

    monkeypatch.setattr(remote_engine, "BATCH_DEADLINE_S", 60.0)
    with HostileEngine({"v1/completions": answer}) as honest, connected(honest) as engine:
        assert batch(engine, 5) == ["1"] * 5
