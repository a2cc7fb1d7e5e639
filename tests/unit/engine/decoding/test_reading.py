"""Prompts that are read before anyone asks: how far, what is kept, and what becomes of other prompts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from copilot_server.config import SpeedSettings
from copilot_server.engine.base import Prompt, ReadingEngine
from copilot_server.engine.decoding import reading as module
from copilot_server.engine.decoding.engine import DecodingEngine
from copilot_server.engine.decoding.prefix_cache import MOST_AHEAD, MOST_KEPT, PrefixCache
from copilot_server.engine.decoding.reading import (
    FIRST_PIECE,
    SHORTEST_PIECE,
    PromptReader,
    measure_reading_speed,
)
from copilot_server.engine.decoding.schedule import Counters
from copilot_server.errors import EngineError
from tests.support.decoding import (
    NEVER,
    SPEEDS,
    CancelAfter,
    MakeEngine,
    ask,
    assert_same,
    engine_maker,
    generate,
    watched,
)
from tests.support.plain_decoding import PlainDecoding

LONG = "def wrap(text):\n    return text\n\n\n" * 20


@pytest.fixture(scope="module")
def plain(tiny_model_dir: Path) -> PlainDecoding:
    return PlainDecoding(tiny_model_dir)


@pytest.fixture(scope="module")
def make_engine(tiny_model_dir: Path, plain: PlainDecoding) -> MakeEngine:
    return engine_maker("cpu", tiny_model_dir, plain)


def length(engine: DecodingEngine, text: str) -> int:
    return len(engine.tokenizer.encode(Prompt((text,))))


def test_what_was_read_ahead_is_not_read_again_and_changes_nothing(
    make_engine: MakeEngine, plain: PlainDecoding
):
    engine = make_engine()
    assert isinstance(engine, ReadingEngine)
    engine.read([Prompt((LONG,))], NEVER)
    tokens = length(engine, LONG)
    assert engine.counters.prompt_tokens_read_ahead == tokens - 1
    assert_same(generate(engine, ask(LONG)), plain.generate(ask(LONG)))
    assert (engine.counters.prompt_tokens_read, engine.counters.prompt_tokens_reused) == (1, tokens - 1)
    engine.close()


def test_nothing_is_generated(make_engine: MakeEngine):
    engine = make_engine()
    engine.read([Prompt((LONG,))], NEVER)
    chunks = [chunk for step in watched(engine).steps for chunk, _ in step]
    assert chunks
    assert not any(chunk.choices for chunk in chunks)
    generate(engine, ask(LONG))
    assert any(chunk.choices for step in watched(engine).steps for chunk, _ in step)


def test_a_reading_that_was_given_up_is_gone_on_with(make_engine: MakeEngine, plain: PlainDecoding):
    engine = make_engine()
    engine.read([Prompt((LONG,))], CancelAfter(2))
    first = engine.counters.prompt_tokens_read_ahead
    assert 0 < first < length(engine, LONG) - 1
    engine.read([Prompt((LONG,))], CancelAfter(1))
    second = engine.counters.prompt_tokens_read_ahead
    assert second > first
    assert_same(generate(engine, ask(LONG)), plain.generate(ask(LONG)))
    assert engine.counters.prompt_tokens_reused == second
    assert engine.counters.prompt_tokens_read == length(engine, LONG) - second


def test_a_cancel_before_the_first_piece_reads_nothing(make_engine: MakeEngine):
    engine = make_engine()
    engine.read([Prompt((LONG,)), Prompt(("x = 1\n" * 50,))], CancelAfter(0))
    assert watched(engine).steps == []
    assert watched(engine).lengths == {}


def test_of_two_prompts_the_second_goes_on_from_what_they_share(make_engine: MakeEngine):
    engine = make_engine()
    below = LONG + "x = 1\n"
    engine.read([Prompt((LONG,)), Prompt((below,))], NEVER)
    assert engine.counters.prompt_tokens_read_ahead <= length(engine, below) + 1
    for text in (below, LONG):
        before = engine.counters.prompt_tokens_read
        generate(engine, ask(text))
        assert engine.counters.prompt_tokens_read - before <= 2


def test_what_has_been_read_already_is_not_read_again(make_engine: MakeEngine):
    engine = make_engine()
    for _ in range(2):
        engine.read([Prompt((LONG,))], NEVER)
    assert engine.counters.prompt_tokens_read_ahead == length(engine, LONG) - 1
    assert len(watched(engine).lengths) == 1


def test_without_a_prefix_cache_nothing_is_read(make_engine: MakeEngine):
    engine = make_engine(SPEEDS["drafts"])
    engine.read([Prompt((LONG,))], NEVER)
    assert watched(engine).steps == []


def test_a_prompt_that_does_not_fit_the_context_is_left_out(make_engine: MakeEngine):
    engine = make_engine()
    engine.read([Prompt(("width = 1\n" * engine.context_length,)), Prompt((LONG,)), Prompt(("",))], NEVER)
    assert engine.counters.prompt_tokens_read_ahead == length(engine, LONG) - 1


def test_a_step_that_fails_leaves_no_sequence_open(make_engine: MakeEngine, plain: PlainDecoding):
    engine = make_engine(fails_at=1)
    with pytest.raises(EngineError, match="no memory"):
        engine.read([Prompt((LONG,))], NEVER)
    assert watched(engine).lengths == {}
    assert_same(generate(engine, ask(LONG)), plain.generate(ask(LONG)))


def test_a_closed_engine_reads_nothing(make_engine: MakeEngine):
    engine = make_engine()
    engine.close()
    with pytest.raises(EngineError, match="closed"):
        engine.read([Prompt((LONG,))], NEVER)


# What becomes of the prompts of requests.


def reader_on(make_engine: MakeEngine, **limits: int) -> tuple[PromptReader, PrefixCache]:
    runner = watched(make_engine(**limits))
    cache = PrefixCache(runner, enabled=True)
    return PromptReader(runner, cache, Counters()), cache


def ids(first: int, count: int = 8) -> np.ndarray:
    return np.array([first, *range(20, 20 + count - 1)], np.int32)


def request_for(cache: PrefixCache, prompt_ids: np.ndarray) -> int:
    """Do with a prompt what a request does with it; return how many of its tokens were known."""
    held = cache.take(prompt_ids, most=len(prompt_ids), reserved=0)
    assert held is not None
    cache._runner.step([module.Chunk(held.sequence, prompt_ids[len(held.token_ids) :].tolist())])
    cache.keep(module.Held(held.sequence, prompt_ids))
    return len(held.token_ids)


def beginnings(cache: PrefixCache) -> set[int]:
    """The first token of each sequence that is kept."""
    return {int(held.token_ids[0]) for held in cache._kept}


def test_a_cursor_that_wanders_keeps_only_its_last_positions(make_engine: MakeEngine):
    reader, cache = reader_on(make_engine)
    known = [ids(first) for first in range(1, 4)]
    for prompt_ids in known:
        request_for(cache, prompt_ids)
    for first in range(5, 15):
        reader.read([ids(first)], NEVER)
    assert len(cache) == len(known) + MOST_AHEAD
    assert [request_for(cache, prompt_ids) for prompt_ids in known] == [7, 7, 7]
    assert [request_for(cache, ids(first)) for first in (14, 5)] == [7, 0]


def test_a_position_that_a_request_used_is_kept_as_others_are(make_engine: MakeEngine):
    reader, cache = reader_on(make_engine)
    for first in range(5, 15):
        reader.read([ids(first)], NEVER)
        assert request_for(cache, ids(first)) == 7
    assert len(cache) == 10
    assert request_for(cache, ids(5)) == 7


def test_reading_ahead_takes_no_room_from_the_last_requests(make_engine: MakeEngine):
    room = 4 * 8 + module.BLOCK_SLACK
    reader, cache = reader_on(make_engine, max_tokens=room)
    known = [ids(first) for first in range(1, 5)]
    for prompt_ids in known:
        request_for(cache, prompt_ids)
    reader.read([ids(9)], NEVER)
    assert [request_for(cache, prompt_ids) for prompt_ids in known] == [7, 7, 7, 7]
    assert request_for(cache, ids(9)) == 0


def test_requests_take_the_room_of_what_was_read_ahead_first(make_engine: MakeEngine):
    reader, cache = reader_on(make_engine, max_sequences=3)
    request_for(cache, ids(1))
    request_for(cache, ids(2))
    reader.read([ids(9)], NEVER)
    assert beginnings(cache) == {1, 2, 9}
    request_for(cache, ids(3))
    assert beginnings(cache) == {1, 2, 3}


def test_what_is_read_ahead_counts_among_the_most_that_are_kept(make_engine: MakeEngine):
    reader, cache = reader_on(make_engine)
    for first in range(1, MOST_KEPT + 1):
        request_for(cache, ids(first))
    reader.read([ids(50)], NEVER)
    assert len(cache) == MOST_KEPT
    assert request_for(cache, ids(50)) == 7


# How fast.


@pytest.mark.parametrize(
    ("took_s", "pieces"),
    [
        (0.0, [FIRST_PIECE, 64, 128]),
        (0.08, [FIRST_PIECE, 56, 104]),
        (0.14, [FIRST_PIECE, FIRST_PIECE, FIRST_PIECE]),
        (1.0, [FIRST_PIECE, SHORTEST_PIECE, SHORTEST_PIECE]),
    ],
)
def test_pieces_become_as_long_as_a_key_may_wait(
    make_engine: MakeEngine, monkeypatch: pytest.MonkeyPatch, took_s: float, pieces: list[int]
):
    reader, cache = reader_on(make_engine, prefill_chunk=192)
    now_s = iter(np.arange(0.0, 1e6, 1.0).repeat(2) + np.tile([0.0, took_s], 10**6))
    monkeypatch.setattr(module.time, "perf_counter", lambda: next(now_s))
    reader.read([np.arange(1, 226, dtype=np.int32) % 90 + 1], NEVER)
    steps = [chunk for step in cache._runner.steps for chunk, _ in step]
    assert [len(chunk.token_ids) for chunk in steps][:3] == pieces


def test_the_speed_is_measured_once(make_engine: MakeEngine):
    engine = make_engine()
    speed = engine.reading_speed_tok_s()
    steps = len(watched(engine).steps)
    assert speed > 0
    assert steps > 0
    assert engine.reading_speed_tok_s() == speed
    assert len(watched(engine).steps) == steps
    assert watched(engine).lengths == {}
    assert measure_reading_speed(engine.runner) > 0


def test_a_tuned_runner_knows_its_speed(tiny_model_dir: Path, plain: PlainDecoding):
    from copilot_server.engine.backends.cpu.tuning import Tuning  # noqa: PLC0415
    from tests.support.cpu_runner import open_runner  # noqa: PLC0415

    runner = open_runner(tiny_model_dir, tuning=Tuning(2, 0.02, 123.0))
    engine = DecodingEngine(runner, plain.tokenizer, SpeedSettings())
    assert engine.reading_speed_tok_s() == 123.0
