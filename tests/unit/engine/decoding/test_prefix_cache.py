"""Which sequences are kept, which is found for a prompt, and which is dropped for want of room."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from copilot_server.engine.decoding.prefix_cache import MOST_KEPT, Held, PrefixCache, common_length
from copilot_server.engine.runner import Chunk
from tests.support.reference_runner import ReferenceRunner
from tests.support.watched_runner import Limits, WatchedRunner

MakeRunner = Callable[..., WatchedRunner]


@pytest.fixture(scope="module")
def make_runner(tiny_model_dir: Path) -> MakeRunner:
    def make(**limits: int) -> WatchedRunner:
        return WatchedRunner(ReferenceRunner(tiny_model_dir), Limits(**limits))

    return make


def ids(*tokens: int) -> np.ndarray:
    return np.array(tokens, np.int32)


def take(cache: PrefixCache, *tokens: int, reserved: int = 0, in_use: tuple[Held, ...] = ()) -> Held | None:
    return cache.take(ids(*tokens), most=len(tokens), reserved=reserved, in_use=in_use)


def read(cache: PrefixCache, runner: WatchedRunner, *tokens: int) -> Held:
    """Take a sequence for a prompt, and read what it lacks of it."""
    held = take(cache, *tokens)
    assert held is not None
    runner.step([Chunk(held.sequence, tokens[len(held.token_ids) :])])
    assert runner.lengths[held.sequence] == len(tokens)
    return Held(held.sequence, ids(*tokens))


def test_the_longest_common_beginning_is_found_but_for_the_last_token(make_runner: MakeRunner):
    runner = make_runner()
    cache = PrefixCache(runner, enabled=True)
    first, second = read(cache, runner, 1, 2, 3, 4), read(cache, runner, 1, 2, 8, 9, 7)
    cache.keep(first)
    cache.keep(second)
    for tokens, shared in [
        ((1, 2, 8, 9, 5), 4),
        ((1, 2, 3, 4), 3),
        ((1, 2, 5), 2),
        ((6, 2, 3), 0),
        ((1,), 0),
    ]:
        held = take(cache, *tokens)
        assert list(held.token_ids) == list(tokens[:shared])
        assert runner.lengths[held.sequence] == shared
        cache.close(held)
    assert len(cache) == 2


def test_a_prompt_that_goes_on_from_all_of_a_sequence_takes_it_over(make_runner: MakeRunner):
    runner = make_runner()
    cache = PrefixCache(runner, enabled=True)
    first = read(cache, runner, 1, 2, 3)
    cache.keep(first)
    assert take(cache, 1, 2, 3, 4).sequence == first.sequence
    assert len(cache) == 0
    assert len(runner.lengths) == 1


def test_of_two_sequences_one_of_which_begins_the_other_the_longer_is_kept(make_runner: MakeRunner):
    runner = make_runner()
    cache = PrefixCache(runner, enabled=True)
    short, other, long = (read(cache, runner, *tokens) for tokens in [(1, 2), (1, 3), (1, 2, 4)])
    for held in (short, other, long):
        cache.keep(held)
    assert set(runner.lengths) == {other.sequence, long.sequence}
    cache.keep(read(cache, runner, 1, 2))
    assert set(runner.lengths) == {other.sequence, long.sequence}
    # Keeping it again has made the longer one the latest used: the other goes first.
    assert cache.make_room(0, sequences=runner.max_sequences - 1)
    assert set(runner.lengths) == {long.sequence}


@pytest.mark.parametrize("limits", [{"max_sequences": 3}, {"max_tokens": 12}])
def test_the_least_recently_used_makes_way(make_runner: MakeRunner, limits: dict[str, int]):
    runner = make_runner(**limits)
    cache = PrefixCache(runner, enabled=True)
    kept = [read(cache, runner, first, 2, 3, 4) for first in (5, 6, 7)]
    for held in kept:
        cache.keep(held)
    used = take(cache, 5, 2, 3, 9)  # forks the oldest, which makes it the latest; the second makes way
    assert list(used.token_ids) == [5, 2, 3]
    assert set(runner.lengths) == {kept[0].sequence, kept[2].sequence, used.sequence}
    cache.close(used)
    assert cache.make_room(8 if "max_tokens" in limits else 0, sequences=2)
    assert set(runner.lengths) == {kept[0].sequence}


def test_there_is_an_end_to_how_many_are_kept(make_runner: MakeRunner):
    runner = make_runner()
    cache = PrefixCache(runner, enabled=True)
    for first in range(1, MOST_KEPT + 4):
        cache.keep(read(cache, runner, first, 2, 3))
    assert len(cache) == len(runner.lengths) == MOST_KEPT
    assert len(take(cache, 3, 2, 3).token_ids) == 0
    assert len(take(cache, 4, 2, 3).token_ids) == 2


def test_without_room_for_a_fork_the_sequence_itself_is_cut_short(make_runner: MakeRunner):
    runner = make_runner(max_sequences=1)
    cache = PrefixCache(runner, enabled=True)
    cache.keep(read(cache, runner, 1, 2, 3, 4))
    held = take(cache, 1, 2, 7)
    assert list(held.token_ids) == [1, 2]
    assert runner.lengths == {held.sequence: 2}
    assert take(cache, 1, 2, 8) is None  # the one sequence is in use
    cache.keep(held)
    assert take(cache, 1, 2, 8) is not None


def test_what_is_reserved_is_left_free(make_runner: MakeRunner):
    runner = make_runner(max_tokens=10)
    cache = PrefixCache(runner, enabled=True)
    in_use = read(cache, runner, 1, 2, 3, 4)
    assert take(cache, 1, 2, 3, 9, 9, reserved=6, in_use=(in_use,)) is None
    assert take(cache, 7, 7, 7, 7, reserved=3, in_use=(in_use,)) is None
    shared = take(cache, 1, 2, 3, 9, 9, reserved=4, in_use=(in_use,))
    assert list(shared.token_ids) == [1, 2, 3]
    assert set(runner.lengths) == {in_use.sequence, shared.sequence}


def test_switched_off_it_keeps_and_finds_nothing(make_runner: MakeRunner):
    runner = make_runner()
    cache = PrefixCache(runner, enabled=False)
    first = read(cache, runner, 1, 2, 3)
    second = take(cache, 1, 2, 3, in_use=(first,))
    assert len(second.token_ids) == 0
    cache.keep(first)
    cache.keep(second)
    assert runner.lengths == {}


def test_an_empty_sequence_is_not_kept(make_runner: MakeRunner):
    runner = make_runner()
    cache = PrefixCache(runner, enabled=True)
    cache.keep(take(cache, 1, 2, 3))
    assert runner.lengths == {}
    cache.keep(read(cache, runner, 1, 2, 3))
    assert len(runner.lengths) == 1


@pytest.mark.slow
@given(
    st.lists(st.lists(st.integers(1, 3), min_size=1, max_size=8), max_size=12),
    st.sampled_from([{"max_sequences": 1}, {"max_sequences": 3}, {"max_tokens": 9}, {"max_tokens": 20}]),
)
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_one_prompt_after_the_other_always_has_room(
    make_runner: MakeRunner, prompts: list[list[int]], limits: dict[str, int]
):
    runner = make_runner(**limits)
    cache = PrefixCache(runner, enabled=True)
    kept: list[list[int]] = []
    for tokens in prompts:
        held = take(cache, *tokens)
        best = max((common_length(ids(*tokens[:-1]), ids(*one)) for one in kept), default=0)
        assert len(held.token_ids) <= best
        runner.step([Chunk(held.sequence, tokens[len(held.token_ids) :])])
        cache.keep(Held(held.sequence, ids(*tokens)))
        kept.append(tokens)
        assert len(cache) == len(runner.lengths) <= runner.max_sequences
        assert take_and_close(cache, tokens) == len(tokens) - 1


def take_and_close(cache: PrefixCache, tokens: list[int]) -> int:
    """How much of a prompt is found, leaving it kept."""
    held = take(cache, *tokens)
    cache.keep(held)
    return len(held.token_ids)
