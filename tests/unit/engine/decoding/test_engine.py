"""The decoding loop: drafts, sharing, limits, cancels and errors, on every runner."""

from __future__ import annotations

import gc
import types
import weakref
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from copilot_server.config import SpeedSettings
from copilot_server.engine.base import Generation, GenerationRequest, Prompt, Sampling, Special
from copilot_server.engine.decoding.candidate import Candidate
from copilot_server.engine.decoding.engine import DecodingEngine
from copilot_server.engine.decoding.sequence import drafts_of
from copilot_server.engine.loader import load_engine, load_transformers_engine
from copilot_server.engine.models.tokenizer import load_tokenizer
from copilot_server.engine.runner import Drawn, Runner
from copilot_server.errors import EngineError, PromptTooLongError
from tests.support.decoding import (
    NEVER,
    SPEEDS,
    TEXTS,
    CancelAfter,
    MakeEngine,
    ask,
    assert_same,
    engine_maker,
    generate,
    watched,
)
from tests.support.plain_decoding import PlainDecoding
from tests.support.runners import RUNNERS
from tests.support.tiny_models import build_tiny_model


@pytest.fixture(scope="module")
def plain(tiny_model_dir: Path) -> PlainDecoding:
    """Plain decoding, which every answer is compared with."""
    return PlainDecoding(tiny_model_dir)


#: The loop is the same on all runners; those on transformers take seconds.
_MARKED = [
    pytest.param(name, marks=[pytest.mark.slow] * (name in {"reference", "transformers"}))
    for name in sorted(RUNNERS)
]


@pytest.fixture(scope="module", params=_MARKED)
def make_engine(request: pytest.FixtureRequest, tiny_model_dir: Path, plain: PlainDecoding) -> MakeEngine:
    """Make engines on each of the runners."""
    return engine_maker(request.param, tiny_model_dir, plain)


# Drafts


@pytest.mark.parametrize("temperature", [0.0, 0.9])
def test_drafts_save_steps_and_change_nothing(make_engine: MakeEngine, temperature: float):
    """Each output itself is among the texts to draft from.

    A random model's tokens are seldom those that its text would be cut into, so not every draft is right.
    """
    without, engine = make_engine(SPEEDS["none"]), make_engine(SPEEDS["drafts"])
    for text in TEXTS:
        request = ask(text, temperature=temperature, seed=1)
        expected = generate(without, request)
        helped = replace(request, lookup=(text + expected[0].text,))
        assert_same(generate(engine, helped), expected)
    assert engine.counters.drafts_accepted >= 8
    assert engine.counters.steps < without.counters.steps
    assert without.counters.tokens_drafted == 0


@pytest.mark.parametrize("temperature", [0.0, 0.9])
def test_drafts_that_are_wrong_change_nothing(make_engine: MakeEngine, temperature: float):
    """Texts that begin like the output and then go on otherwise, so that drafts are made and refuted."""
    without, engine = make_engine(SPEEDS["none"]), make_engine(SPEEDS["drafts"])
    for text in TEXTS:
        request = ask(text, temperature=temperature, seed=1)
        expected = generate(without, request)
        written = text + expected[0].text
        misleading = tuple(written[:end] + "\n\n\nelse" for end in range(len(text), len(written), 2))
        assert_same(generate(engine, replace(request, lookup=misleading)), expected)
    assert engine.counters.tokens_drafted - engine.counters.drafts_accepted >= 8
    chunks = [chunk for step in watched(engine).steps for chunk, _ in step]
    assert sum(len(drafts_of(chunk)) for chunk in chunks) == engine.counters.tokens_drafted


def test_drafts_are_verified_while_text_is_still_forced(make_engine: MakeEngine, plain: PlainDecoding):
    forced = "    return text.strip()"
    request = ask("def wrap(text):\n", forced=forced, lookup=("def wrap(text):\n" + forced,))
    engine = make_engine(SPEEDS["drafts"])
    assert_same(generate(engine, request), plain.generate(request))
    drafting = [chunk for step in watched(engine).steps for chunk, _ in step if drafts_of(chunk)]
    assert any(choice.allowed is not None for chunk in drafting for choice in chunk.choices[1:])


def test_a_candidate_samples_after_drafts_as_it_would_once_they_are_written(plain: PlainDecoding):
    request = ask("x", forced="  return text", temperature=0.7, top_p=0.9, seed=2)
    drafts = plain.tokenizer.encode_text("  return textwrap")
    candidate = Candidate(request, [], 0, plain.tokenizer)
    predicted = candidate.choices(drafts)
    made = candidate.choices()
    for token_id in drafts:
        candidate.accept(Drawn(token_id, 0.0))
        made += candidate.choices()
    for before, then in zip(predicted, made, strict=True):
        assert replace(before, allowed=None) == replace(then, allowed=None)
        assert np.array_equal(before.allowed, then.allowed)
    assert predicted[1].allowed is not None
    assert predicted[-1].allowed is None


def test_no_control_token_is_drafted_though_the_prompt_repeats_them(
    make_engine: MakeEngine, plain: PlainDecoding
):
    parts = ("def f():\n    return x", Special("<|im_end|>"))
    request = GenerationRequest(Prompt(parts * 6 + parts[:1]), Sampling(max_new_tokens=24))
    engine = make_engine(SPEEDS["drafts"])
    assert_same(generate(engine, request), plain.generate(request))
    drafts = {draft for step in watched(engine).steps for chunk, _ in step for draft in drafts_of(chunk)}
    assert drafts
    assert not drafts & plain.tokenizer.control_ids


def test_until_is_asked_the_same_with_drafts_and_without(make_engine: MakeEngine):
    def texts_asked(engine: DecodingEngine, request: GenerationRequest) -> tuple[list[str], str]:
        asked: list[str] = []

        def until(text: str) -> bool:
            asked.append(text)
            return len(asked) == 9

        (generation,) = generate(engine, replace(request, until=until))
        assert generation.finish_reason == "stop"
        return asked, generation.text

    request = ask(TEXTS[3])
    without = make_engine(SPEEDS["none"])
    (whole,) = generate(without, request)
    drafting = make_engine(SPEEDS["drafts"])
    helped = replace(request, lookup=(TEXTS[3] + whole.text,))
    assert texts_asked(drafting, helped) == texts_asked(without, request)
    assert drafting.counters.drafts_accepted > 0


def test_a_step_drafts_no_more_than_the_runner_verifies_at_no_cost(make_engine: MakeEngine):
    repeating = TEXTS[6]
    most = []
    for rows in (1, 4, 16):
        engine = make_engine(draft_length=8)
        engine.generate_batch([ask(repeating, n=rows, temperature=0.5, seed=1)], NEVER)
        drafted = [sum(len(drafts_of(chunk)) for chunk, _ in step) for step in watched(engine).steps]
        most.append(max(drafted))
    assert most[0] > 2
    assert most[1] > 2
    assert max(most) <= 8


def test_nothing_is_drafted_that_could_not_be_written(make_engine: MakeEngine):
    drafted = []
    for most in (1, 2, 24):
        engine = make_engine(SPEEDS["drafts"])
        generate(engine, ask(TEXTS[6], max_new_tokens=most))
        drafted.append(max(len(drafts_of(chunk)) for step in watched(engine).steps for chunk, _ in step))
    assert drafted[0] == 0
    assert drafted[1] == 1
    assert drafted[2] > 1


# Continuous batching


def test_a_finished_candidate_leaves_at_once_and_a_waiting_one_enters(make_engine: MakeEngine):
    lengths = (2, 9, 4, 12, 3, 6)
    engine = make_engine(SPEEDS["none"])
    requests = [ask("x", temperature=0.9, seed=i, max_new_tokens=most) for i, most in enumerate(lengths)]
    generations = engine.generate_batch(requests, NEVER, batch_size=3)
    written = [len(one.token_ids) + (one.finish_reason == "eos") for (one,) in generations]
    rows = [len(step) for step in watched(engine).steps]
    assert sum(rows) == sum(written)
    assert rows == sorted(rows, reverse=True)  # three rows in every step until none waits
    assert rows[0] == 3
    assert len(rows) < sum(sorted(written)[-2:])  # in fixed groups of three, each would last as its longest


def test_a_batch_reports_each_request_as_it_finishes(make_engine: MakeEngine):
    done: list[int] = []
    requests = [ask(text, max_new_tokens=20 - 4 * i) for i, text in enumerate(TEXTS[:4])]
    generations = make_engine(SPEEDS["none"]).generate_batch(
        requests, NEVER, lambda index, ours: done.append(index if ours else -1)
    )
    assert sorted(done) == [0, 1, 2, 3]
    assert done[-1] == 0  # the longest comes last, though it was first in line
    assert [len(one.token_ids) for (one,) in generations] == [20, 16, 12, 8]


def test_prompts_are_read_in_chunks_beside_candidates_that_write(make_engine: MakeEngine):
    engine = make_engine(SPEEDS["none"], prefill_chunk=16)
    # The prompt with the lowest token goes first.
    engine.generate_batch([ask("!", max_new_tokens=40), ask(TEXTS[6], max_new_tokens=4)], NEVER)
    sizes = [[len(chunk.token_ids) for chunk, _ in step] for step in watched(engine).steps]
    assert max(sum(step) for step in sizes) <= 17
    assert any(sorted(step) == [1, 16] for step in sizes)


def test_a_request_waits_until_there_is_room_for_all_that_it_may_write(make_engine: MakeEngine):
    for max_tokens, together in ((300, 1), (600, 2)):
        engine = make_engine(max_tokens=max_tokens)
        engine.generate_batch([ask(text, max_new_tokens=200) for text in ("x", "y")], NEVER)
        assert max(len(step) for step in watched(engine).steps) == together


@pytest.mark.parametrize("speed", SPEEDS)
@pytest.mark.parametrize("batch_size", [1, 2, 16])
def test_the_candidates_of_a_prompt_read_it_once(make_engine: MakeEngine, speed: str, batch_size: int):
    engine = make_engine(SPEEDS[speed])
    request = ask(TEXTS[6], n=5, temperature=0.9, seed=1)
    (generations,) = engine.generate_batch([request], NEVER, batch_size=batch_size)
    assert len({one.token_ids for one in generations}) == 5
    tokens = len(engine.tokenizer.encode(request.prompt))
    # Each begins with the last token, since nothing follows a prompt of which all has been read before.
    assert engine.counters.prompt_tokens_read == tokens + 4
    assert max(len(step) for step in watched(engine).steps) == min(5, batch_size)


# The prefix cache in the loop


def test_a_prompt_that_begins_like_an_earlier_one_is_read_from_there_on(make_engine: MakeEngine):
    read = {}
    for name, speed in SPEEDS.items():
        engine = make_engine(speed)
        generate(engine, ask(TEXTS[6]))
        before = engine.counters
        generate(engine, ask(TEXTS[6] + "    width"))
        read[name] = engine.counters.prompt_tokens_read - before.prompt_tokens_read
        reused = engine.counters.prompt_tokens_reused - before.prompt_tokens_reused
        assert read[name] + reused == len(engine.tokenizer.encode_text(TEXTS[6] + "    width"))
    assert read["all"] == read["prefix cache"] <= 4
    assert read["none"] == read["drafts"] > 60


def test_prompts_of_one_batch_share_their_beginning(make_engine: MakeEngine):
    requests = [ask(TEXTS[6] + name) for name in ("    x", "    y", "    z")]
    read = []
    for speed in ("all", "none"):
        engine = make_engine(SPEEDS[speed], prefill_chunk=32)
        engine.generate_batch(requests, NEVER)
        read.append(engine.counters.prompt_tokens_read)
    lengths = [len(engine.tokenizer.encode(request.prompt)) for request in requests]
    assert read[0] < lengths[0] + 2 * 32
    assert read[1] == sum(lengths)


@pytest.mark.parametrize("limits", [{"max_tokens": 256}, {"max_sequences": 1}, {}])
def test_what_is_kept_makes_way_for_what_is_asked(
    make_engine: MakeEngine, plain: PlainDecoding, limits: dict[str, int]
):
    engine = make_engine(**limits)
    for text in (*TEXTS, *reversed(TEXTS)):
        assert_same(generate(engine, ask(text)), plain.generate(ask(text)))
    assert engine.counters.prompt_tokens_reused > 0
    kept = watched(engine).lengths
    assert (sum(kept.values()) > 256) == (not limits)
    assert len(kept) == 1 or "max_sequences" not in limits


# Cancelling


@pytest.mark.parametrize("chunks", [0, 1, 2])
def test_a_cancel_during_prefill_costs_no_further_chunk_and_loses_nothing(
    make_engine: MakeEngine, chunks: int
):
    engine = make_engine(prefill_chunk=16)
    request = ask(TEXTS[6])
    (generation,) = engine.generate(request, CancelAfter(looks=chunks))
    assert generation.finish_reason == "cancelled"
    assert generation.token_ids == ()
    assert engine.counters.steps == chunks
    assert engine.counters.prompt_tokens_read == 16 * chunks
    generate(engine, request)
    assert engine.counters.prompt_tokens_read == len(engine.tokenizer.encode(request.prompt))


def test_a_cancel_during_decode_costs_no_further_token(make_engine: MakeEngine):
    engine = make_engine(SPEEDS["none"])
    requests = [ask(text, n=2, temperature=0.5, seed=1) for text in TEXTS[:3]]
    done: list[int] = []
    generations = engine.generate_batch(
        requests, CancelAfter(looks=9), lambda index, _: done.append(index), batch_size=3
    )
    assert engine.counters.steps == 9
    assert sorted(done) == [0, 1, 2]
    assert all(any(one.finish_reason == "cancelled" for one in ours) for ours in generations)
    assert max(len(one.token_ids) for ours in generations for one in ours) <= 9
    assert watched(engine).lengths == {}
    whole = generate(engine, requests[0])
    assert all(one.finish_reason in ("length", "eos") for one in whole)
    assert max(len(one.token_ids) for one in whole) > 9


# Errors


def test_a_failed_step_leaves_an_engine_that_works(make_engine: MakeEngine, plain: PlainDecoding):
    engine = make_engine(fails_at=3)
    with pytest.raises(EngineError, match="no memory"):
        engine.generate_batch([ask(text, n=2) for text in TEXTS], NEVER)
    assert watched(engine).lengths == {}
    assert_same(generate(engine, ask(TEXTS[0])), plain.generate(ask(TEXTS[0])))


def test_weights_that_give_no_numbers_are_an_error(tmp_path: Path):
    """Transformers computes with them, and every token would have a log-probability of NaN."""
    folder = build_tiny_model("qwen2", tmp_path)
    assert generate(load_transformers_engine(folder, device="cpu"), ask("x"))
    weights = load_file(folder / "model.safetensors")
    weights["model.norm.weight"][:] = np.inf
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(EngineError, match=r"not finite .* fetch the model again"):
        generate(load_transformers_engine(folder, device="cpu"), ask("x"))


def test_an_error_in_the_callback_leaves_an_engine_that_works(make_engine: MakeEngine):
    def fail(index: int, _: list[Generation]) -> None:
        raise KeyError(index)

    engine = make_engine()
    requests = [ask(text, max_new_tokens=4 + i) for i, text in enumerate(TEXTS)]
    with pytest.raises(KeyError):
        engine.generate_batch(requests, NEVER, fail)
    assert len(watched(engine).lengths) == 1  # of the one that had finished
    assert generate(engine, requests[0])[0].finish_reason == "length"


def test_a_request_that_never_has_room_is_an_error_with_a_remedy(make_engine: MakeEngine):
    engine = make_engine(max_tokens=200)
    assert generate(engine, ask("x"))
    with pytest.raises(EngineError, match=r"no memory .* Lower completion\.max_prompt_tokens"):
        generate(engine, ask(TEXTS[6], max_new_tokens=200))
    assert generate(engine, ask("y"))


def test_memory_that_runs_out_is_an_error_with_a_remedy(make_engine: MakeEngine):
    def until(text: str) -> bool:
        raise MemoryError

    engine = make_engine()
    with pytest.raises(EngineError, match=r"Memory ran out .* smaller model"):
        generate(engine, replace(ask("x"), until=until))
    assert generate(engine, ask("x"))


def test_a_prompt_too_long_is_an_error_that_says_the_room(make_engine: MakeEngine):
    engine = make_engine()
    with pytest.raises(PromptTooLongError, match="room for 488"):
        generate(engine, ask("return " * 600))
    assert generate(engine, ask("return " * 50))


def test_a_prompt_without_a_token_is_a_text_that_begins(make_engine: MakeEngine, plain: PlainDecoding):
    (generation,) = generate(make_engine(), ask(""))
    assert len(generation.token_ids) == 24
    assert_same([generation], plain.generate(ask("")))


def test_the_engine_says_what_the_runner_and_the_tokenizer_are(make_engine: MakeEngine, plain: PlainDecoding):
    engine = make_engine()
    assert (engine.device, engine.dtype, engine.context_length) == ("cpu", "float32", 512)
    assert engine.count_tokens(TEXTS[6]) == len(plain.tokenizer.encode_text(TEXTS[6]))
    assert engine.knows(Special("<|im_end|>"))
    assert not engine.knows(Special("<|no_such|>"))


# Closing


def test_a_closed_engine_returns_what_it_kept_and_answers_no_more(make_engine: MakeEngine):
    engine = make_engine()
    assert generate(engine, ask(TEXTS[0]))
    runner = watched(engine)
    assert runner.lengths
    engine.close()
    engine.close()
    assert runner.lengths == {}
    assert engine.device == "cpu"
    with pytest.raises(EngineError, match="closed"):
        generate(engine, ask(TEXTS[0]))


def _load_cpu(folder: Path) -> DecodingEngine:
    engine = load_engine(folder, device="cpu", dtype="float32")
    assert isinstance(engine, DecodingEngine)
    return engine


def _load_transformers(folder: Path) -> DecodingEngine:
    return load_transformers_engine(folder, device="cpu", dtype="float32")


def _load_torch(folder: Path) -> DecodingEngine:
    return DecodingEngine(RUNNERS["torch"](folder), load_tokenizer(folder), SpeedSettings())


@pytest.mark.parametrize("load", [_load_cpu, _load_torch, _load_transformers])
def test_closing_an_engine_frees_its_arrays(load: Callable[[Path], DecodingEngine], tmp_path: Path):
    """Nothing but the engine refers to them, so that closing it frees them, though the engine lives on."""
    engine = load(build_tiny_model("qwen2", tmp_path))
    generate(engine, ask(TEXTS[0]))
    large = [weakref.ref(one) for one in _arrays_of(engine.runner)]
    assert len(large) > 2
    engine.close()
    gc.collect()
    assert [array.shape for one in large if (array := one()) is not None] == []


def _arrays_of(runner: Runner) -> list[np.ndarray | torch.Tensor]:
    """Every array of more than a thousand numbers that can be reached from a runner."""
    found: dict[int, np.ndarray | torch.Tensor] = {}
    seen: set[int] = set()
    stack: list[object] = [runner]
    while stack:
        one = stack.pop()
        if id(one) in seen or isinstance(one, (type, types.ModuleType, types.FunctionType)):
            continue
        seen.add(id(one))
        if isinstance(one, (np.ndarray, torch.Tensor)):
            if (one.size if isinstance(one, np.ndarray) else one.numel()) > 1000:
                found[id(one)] = one
            continue
        stack += gc.get_referents(one)
    return list(found.values())
