"""Requests of many callers in one loop: what each gets, who comes first, cancels and failures."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from copilot_server.engine.base import Generation, GenerationRequest, Prompt
from copilot_server.engine.decoding.loop import DecodingLoop
from copilot_server.engine.runner import Chunk, Drawn
from copilot_server.errors import EngineError, PromptTooLongError
from tests.support.decoding import NEVER, SPEEDS, TEXTS, MakeEngine, ask, assert_same, engine_maker
from tests.support.plain_decoding import PlainDecoding

ANSWER_S = 60.0


@pytest.fixture(scope="module")
def make_engine(tiny_model_dir: Path) -> MakeEngine:
    """Make engines on the kernels for the CPU."""
    return engine_maker("cpu", tiny_model_dir, PlainDecoding(tiny_model_dir))


@pytest.fixture
def loop(make_engine: MakeEngine) -> Iterator[DecodingLoop]:
    """A loop that decodes four candidates at a time."""
    loop = DecodingLoop(make_engine(SPEEDS["none"]), batch_size=4)
    yield loop
    assert loop.close(ANSWER_S)


class Gate:
    """Holds the runner's steps until they are let go, and remembers which sequences took part in each."""

    def __init__(self, loop: DecodingLoop) -> None:
        self.taken: list[frozenset[int]] = []
        self.opened = threading.Event()
        self.entered = threading.Semaphore(0)
        self.error: EngineError | None = None
        self._step = loop.engine.runner.step
        loop.engine.runner.step = self.step  # type: ignore[method-assign]

    def step(self, chunks: Sequence[Chunk]) -> list[list[Drawn]]:
        self.entered.release()
        assert self.opened.wait(ANSWER_S)
        if self.error is not None:
            raise self.error
        self.taken.append(frozenset(chunk.sequence for chunk in chunks))
        return self._step(chunks)


def test_each_caller_gets_what_it_would_get_alone(loop: DecodingLoop, make_engine: MakeEngine):
    requests = [ask(text, temperature=0.7, seed=3, n=2) for text in TEXTS]
    alone = [make_engine(SPEEDS["none"]).generate(request, NEVER) for request in requests]
    decodings = [loop.submit(request, urgent=index % 2 == 0) for index, request in enumerate(requests)]
    for decoding, expected in zip(decodings, alone, strict=True):
        assert_same(decoding.done.result(ANSWER_S), expected)


def test_what_is_written_is_reported_as_it_grows(loop: DecodingLoop):
    reports: list[Sequence[Generation]] = []
    final = loop.submit(ask(TEXTS[0]), on_written=reports.append).done.result(ANSWER_S)
    texts = [one.text for (one,) in reports]
    assert len(texts) >= 2
    assert all(after.startswith(before) for before, after in itertools.pairwise(texts))
    assert texts[-1] == final[0].text


def test_urgent_requests_are_decoded_alone_and_the_others_go_on_afterwards(
    loop: DecodingLoop, make_engine: MakeEngine
):
    gate = Gate(loop)
    batch = [loop.submit(ask(text, max_new_tokens=20)) for text in TEXTS[:2]]
    assert gate.entered.acquire(timeout=ANSWER_S)
    urgent = loop.submit(ask(TEXTS[2], max_new_tokens=5), urgent=True)
    gate.opened.set()
    assert urgent.done.result(ANSWER_S)
    alone = [make_engine(SPEEDS["none"]).generate(ask(text, max_new_tokens=20), NEVER) for text in TEXTS[:2]]
    for decoding, expected in zip(batch, alone, strict=True):
        assert_same(decoding.done.result(ANSWER_S), expected)
    first, *others = gate.taken
    before = list(itertools.takewhile(lambda step: not step & first, others))
    assert len(before) >= 5, "a step a token, or a reader would have to wait"
    assert len(set(before)) == len(before[0]) == 1, "nothing is decoded beside an urgent request"


def test_cancelling_ends_one_request_and_no_other(loop: DecodingLoop):
    gate = Gate(loop)
    wanted, unwanted = loop.submit(ask(TEXTS[0])), loop.submit(ask(TEXTS[1]))
    assert gate.entered.acquire(timeout=ANSWER_S)
    unwanted.cancel()
    unwanted.cancel()
    gate.opened.set()
    assert [one.finish_reason for one in unwanted.done.result(ANSWER_S)] == ["cancelled"]
    assert wanted.done.result(ANSWER_S)[0].finish_reason != "cancelled"
    unwanted.cancel()  # it is over already


def test_a_failing_step_fails_its_requests_and_the_loop_goes_on(loop: DecodingLoop):
    gate = Gate(loop)
    gate.error = EngineError("There is no memory.")
    gate.opened.set()
    with pytest.raises(EngineError, match="no memory"):
        loop.submit(ask(TEXTS[0])).done.result(ANSWER_S)
    gate.error = None
    assert loop.submit(ask(TEXTS[0])).done.result(ANSWER_S)


def test_an_unknown_failure_is_an_error_too(loop: DecodingLoop, monkeypatch: pytest.MonkeyPatch):
    def step(_chunks: Sequence[Chunk]) -> list[list[Drawn]]:
        raise ZeroDivisionError

    with monkeypatch.context() as patch:
        patch.setattr(loop.engine.runner, "step", step)
        with pytest.raises(EngineError, match="ZeroDivisionError"):
            loop.submit(ask(TEXTS[0])).done.result(ANSWER_S)
    assert loop.submit(ask(TEXTS[0])).done.result(ANSWER_S)


def test_a_prompt_that_is_too_long_is_refused_at_once(loop: DecodingLoop):
    with pytest.raises(PromptTooLongError):
        loop.submit(ask("x = 1\n" * loop.engine.context_length))


def test_closing_cancels_what_is_decoded_and_refuses_more(make_engine: MakeEngine):
    loop = DecodingLoop(make_engine(SPEEDS["none"]), batch_size=1)
    gate = Gate(loop)
    running, waiting = loop.submit(ask(TEXTS[0])), loop.submit(ask(TEXTS[1]))
    assert gate.entered.acquire(timeout=ANSWER_S)
    assert not loop.close(0.0), "a step is running"
    gate.opened.set()
    assert loop.close(ANSWER_S)
    for one in (running, waiting):
        assert one.done.result(0.0)[0].finish_reason == "cancelled"
    with pytest.raises(EngineError, match="shutting down"):
        loop.submit(ask(TEXTS[0]))


def test_a_request_without_room_fails_alone(loop: DecodingLoop):
    request: GenerationRequest = ask(TEXTS[0])
    free = type(loop.engine.runner).free_tokens
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(loop.engine.runner), "free_tokens", property(lambda _self: 0))
        with pytest.raises(EngineError, match="no memory for the KV cache"):
            loop.submit(request).done.result(ANSWER_S)
    assert type(loop.engine.runner).free_tokens is free
    assert loop.submit(request).done.result(ANSWER_S)


def test_prompts_are_read_when_nothing_is_decoded(loop: DecodingLoop):
    """The loop's engine keeps no prompts, so that nothing is to be read; what counts is that it ends."""
    loop.read([Prompt((TEXTS[0],))]).done.result(ANSWER_S)
    cancelled = loop.read([Prompt((TEXTS[1],))])
    cancelled.cancel()
    cancelled.done.result(ANSWER_S)


def test_reading_that_fails_is_an_error_and_the_loop_goes_on(
    loop: DecodingLoop, monkeypatch: pytest.MonkeyPatch
):
    def read(_prompts: object, _cancel: object) -> None:
        raise ZeroDivisionError

    with monkeypatch.context() as patch:
        patch.setattr(loop.engine, "read", read)
        with pytest.raises(EngineError, match="ZeroDivisionError"):
            loop.read([Prompt((TEXTS[0],))]).done.result(ANSWER_S)
    assert loop.submit(ask(TEXTS[0])).done.result(ANSWER_S)
