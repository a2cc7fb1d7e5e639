"""The engine against transformers' own ``generate``, and its promises about stopping and cancelling."""

from __future__ import annotations

import heapq
import shutil
import statistics
import textwrap
import threading
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel

from copilot_server.catalog import resolve
from copilot_server.engine.backends.transformers.runner import TransformersRunner
from copilot_server.engine.base import Generation, GenerationRequest, Prompt, Sampling, Special
from copilot_server.engine.decoding.engine import DecodingEngine
from copilot_server.engine.loader import load_transformers_engine
from copilot_server.engine.models.gguf import prepared_folder
from copilot_server.errors import DeviceError, EngineError, ModelError, PromptTooLongError
from copilot_server.fetch import ensure
from tests.support.tiny_models import ARCHITECTURES, build_tiny_model

PROMPTS = (
    "def wrap(text):\n",
    "import re\n\n\nclass TextWrapper:\n    def __init__(self, width=70):\n        self.",
    "x",
    "for chunk in chunks:\n    if len(chunk) > width:\n        ",
    "# déjà vu: 'naïve' \u2028 text\nname = ",
    "return " * 40,
)
NEVER = threading.Event()


def load(folder: Path) -> DecodingEngine:
    return load_transformers_engine(folder, device="cpu", dtype="float32")


@pytest.fixture(scope="module")
def engine(tiny_model_dir: Path) -> DecodingEngine:
    return load(tiny_model_dir)


def request(text: str, *, forced: str = "", **sampling: object) -> GenerationRequest:
    return GenerationRequest(Prompt((text,), forced), Sampling(**{"max_new_tokens": 24, **sampling}))


def model_of(engine: DecodingEngine) -> PreTrainedModel:
    assert isinstance(engine.runner, TransformersRunner)
    return engine.runner.model


def generate(engine: DecodingEngine, text: str, **sampling: object) -> list[Generation]:
    return engine.generate(request(text, **sampling), NEVER)


def reference_ids(folder: Path, engine: DecodingEngine, text: str, max_new_tokens: int) -> list[int]:
    """The text that ``transformers`` itself generates greedily, up to the first control token."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    return greedy_ids(model, tokenizer, engine, text, max_new_tokens)


def greedy_ids(model, tokenizer, engine: DecodingEngine, text: str, max_new_tokens: int) -> list[int]:  # noqa: ANN001
    ids = torch.tensor([tokenizer(text)["input_ids"]])
    stops = sorted(engine.tokenizer.control_ids)
    output = model.generate(
        ids,
        attention_mask=torch.ones_like(ids),
        do_sample=False,
        max_new_tokens=max_new_tokens,
        eos_token_id=stops,
        pad_token_id=stops[0],
    )
    return [token for token in output[0, ids.shape[1] :].tolist() if token not in stops]


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_greedy_is_token_identical_to_transformers(architecture: str, tmp_path: Path):
    folder = build_tiny_model(architecture, tmp_path)
    engine = load(folder)
    for text in PROMPTS:
        ours = generate(engine, text)[0].token_ids
        assert list(ours) == reference_ids(folder, engine, text, 24), text
        assert ours


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_batch_gives_what_each_prompt_gives_alone(architecture: str, tmp_path: Path):
    engine = load(build_tiny_model(architecture, tmp_path))
    requests = [request(text, max_new_tokens=8 + 3 * i) for i, text in enumerate(PROMPTS)]
    alone = [engine.generate(one, NEVER)[0].token_ids for one in requests]
    for batch_size in (2, 4, 16):
        batched = engine.generate_batch(requests, NEVER, batch_size=batch_size)
        assert [generations[0].token_ids for generations in batched] == alone


def test_a_batch_reports_each_request_as_it_finishes(engine: DecodingEngine):
    done: list[int] = []
    requests = [request(text, max_new_tokens=20 - 4 * i) for i, text in enumerate(PROMPTS[:4])]
    engine.generate_batch(requests, NEVER, lambda index, _: done.append(index))
    assert sorted(done) == [0, 1, 2, 3]
    assert done[-1] == 0  # the longest finishes last, although it was submitted first


@pytest.mark.model
@pytest.mark.parametrize("count", [3, pytest.param(10, marks=pytest.mark.long)])
def test_greedy_is_token_identical_to_transformers_on_the_real_model(real_engine: DecodingEngine, count: int):
    """The prompts are cut from the standard library at positions where a function begins."""
    tokenizer = AutoTokenizer.from_pretrained(model_of(real_engine).name_or_path)
    model = model_of(real_engine)
    texts = real_prompts(count)
    for text in texts:
        ours = generate(real_engine, text, max_new_tokens=16)[0].token_ids
        assert list(ours) == greedy_ids(model, tokenizer, real_engine, text, 16), text


def real_prompts(count: int) -> list[str]:
    functions = []
    for module in (textwrap, heapq, shutil, statistics):
        source = Path(module.__file__).read_text("utf-8")
        functions += ["def " + body[:200] for body in source.split("\ndef ")[1:]]
    assert len(functions) >= count
    return functions[:count]


@pytest.mark.model
def test_batched_equals_single_on_the_real_model(real_engine: DecodingEngine):
    requests = [request(text, max_new_tokens=12) for text in real_prompts(6)]
    alone = [real_engine.generate(one, NEVER)[0].token_ids for one in requests]
    batched = real_engine.generate_batch(requests, NEVER, batch_size=6)
    assert [generations[0].token_ids for generations in batched] == alone


def test_a_seed_repeats_and_another_seed_does_not(engine: DecodingEngine):
    first = generate(engine, PROMPTS[0], temperature=1.0, seed=1, n=3)
    again = generate(engine, PROMPTS[0], temperature=1.0, seed=1, n=3)
    other = generate(engine, PROMPTS[0], temperature=1.0, seed=2, n=3)
    assert first == again
    assert first != other
    assert len({generation.token_ids for generation in first}) == 3


def test_sampled_candidates_are_the_same_whatever_else_is_in_the_batch(engine: DecodingEngine):
    requests = [request(text, temperature=1.0, seed=5, n=2) for text in PROMPTS[:3]]
    batched = engine.generate_batch(requests, NEVER)
    for one, generations in zip(requests, batched, strict=True):
        alone = engine.generate(one, NEVER)
        assert [g.token_ids for g in generations] == [g.token_ids for g in alone]


def test_greedy_first_gives_the_greedy_candidate_and_sampled_ones(engine: DecodingEngine):
    greedy = generate(engine, PROMPTS[0])[0]
    mixed = generate(engine, PROMPTS[0], temperature=1.0, seed=3, n=3, greedy_first=True)
    assert mixed[0].token_ids == greedy.token_ids
    assert mixed[1].token_ids != greedy.token_ids


def test_a_small_nucleus_is_greedy_and_a_whole_one_is_not(engine: DecodingEngine):
    greedy = generate(engine, PROMPTS[1])[0].token_ids
    assert generate(engine, PROMPTS[1], temperature=1.0, top_p=1e-6, seed=1)[0].token_ids == greedy
    assert generate(engine, PROMPTS[1], temperature=1.0, top_p=1.0, seed=1)[0].token_ids != greedy


def test_mean_logprob_is_the_models_own(engine: DecodingEngine, tiny_model_dir: Path):
    generation = generate(engine, PROMPTS[0])[0]
    model = AutoModelForCausalLM.from_pretrained(tiny_model_dir, dtype=torch.float32).eval()
    prompt_ids = engine.tokenizer.encode_text(PROMPTS[0])
    ids = torch.tensor([[*prompt_ids, *generation.token_ids]])
    with torch.no_grad():
        logprobs = torch.log_softmax(model(ids).logits[0, len(prompt_ids) - 1 : -1], dim=-1)
    chosen = logprobs[torch.arange(len(generation.token_ids)), torch.tensor(generation.token_ids)]
    assert generation.mean_logprob == pytest.approx(float(chosen.mean()), abs=1e-4)
    assert [one.logprob for one in generation.trace] == pytest.approx(chosen.tolist(), abs=1e-4)
    assert generation.trace[-1].end == len(generation.text)


def test_a_stop_text_is_found_across_token_boundaries_and_left_out(engine: DecodingEngine):
    plain = generate(engine, PROMPTS[0])[0]
    pieces = [engine.tokenizer.text_stream([]).step(token) for token in plain.token_ids]
    cut = len("".join(pieces[:4]))
    stop = plain.text[cut - 1 : cut + 1]  # the end of one token and the start of the next
    where = plain.text.index(stop)
    stopped = engine.generate(replace(request(PROMPTS[0]), stop=("\0 never", stop)), NEVER)[0]
    assert stopped.finish_reason == "stop"
    assert stopped.text == plain.text[:where]
    assert plain.finish_reason == "length"


def test_until_ends_a_generation(engine: DecodingEngine):
    seen: list[str] = []

    def three_steps(text: str) -> bool:
        seen.append(text)
        return len(seen) == 3

    generation = engine.generate(replace(request(PROMPTS[0]), until=three_steps), NEVER)[0]
    assert generation.finish_reason == "stop"
    assert generation.text == seen[-1]
    assert len(generation.token_ids) < 24


def test_no_control_token_is_ever_text(engine: DecodingEngine):
    """At a high temperature some of many samples draw a control token, which ends them and is not shown."""
    generations = generate(engine, "x", temperature=5.0, seed=0, n=32, max_new_tokens=64)
    assert any(generation.finish_reason == "eos" for generation in generations)
    for generation in generations:
        assert "<|" not in generation.text
        assert not set(generation.token_ids) & engine.tokenizer.control_ids


def test_control_tokens_in_a_users_text_stay_text(engine: DecodingEngine):
    as_text = engine.tokenizer.encode(Prompt(("a<|im_end|>b",)))
    as_token = engine.tokenizer.encode(Prompt(("a", Special("<|im_end|>"), "b")))
    assert not set(as_text) & engine.tokenizer.control_ids
    assert set(as_token) & engine.tokenizer.control_ids


def test_an_unknown_control_token_is_an_error(engine: DecodingEngine):
    with pytest.raises(EngineError, match=r"<\|no_such\|>"):
        engine.tokenizer.encode(Prompt((Special("<|no_such|>"),)))
    assert engine.knows(Special("<|im_end|>"))
    assert not engine.knows(Special("<|no_such|>"))


@pytest.mark.parametrize("forced", ["    ", " wid", "é", "text_wrapper_x", "\n\t"])
def test_forced_text_begins_the_output_and_is_not_part_of_it(engine: DecodingEngine, forced: str):
    generation = engine.generate(request("def wrap(text):\n", forced=forced), NEVER)[0]
    stream = engine.tokenizer.text_stream([])
    whole = "".join(stream.step(token) for token in generation.token_ids)
    assert whole.startswith(forced)
    assert whole[len(forced) :] == generation.text
    unforced = generate(engine, "def wrap(text):\n")[0].text
    assert not unforced.startswith(forced)  # so the check above can fail


class CancelAfter:
    """A cancel flag that is set from the ``looks``-th check on, and counts the checks."""

    def __init__(self, looks: int) -> None:
        self.looks = looks
        self.asked = 0

    def is_set(self) -> bool:
        self.asked += 1
        return self.asked > self.looks


def test_cancellation_is_checked_for_every_token(engine: DecodingEngine):
    cancel = CancelAfter(looks=5)  # one check before each step, the first of which reads the prompt
    generation = engine.generate(request(PROMPTS[0]), cancel)[0]
    assert generation.finish_reason == "cancelled"
    assert len(generation.token_ids) == 5
    assert len(generate(engine, PROMPTS[0])[0].token_ids) == 24


def test_a_cancel_during_a_long_prefill_is_seen_within_a_chunk(engine: DecodingEngine):
    long_text = "while chunk:\n    width += len(chunk)\n" * 30
    assert len(engine.tokenizer.encode_text(long_text)) > engine.runner.prefill_chunk
    cancel = CancelAfter(looks=1)
    generation = engine.generate(request(long_text), cancel)[0]
    assert generation.finish_reason == "cancelled"
    assert generation.token_ids == ()
    assert cancel.asked == 2


def test_chunks_of_prefill_change_nothing(engine: DecodingEngine, tiny_model_dir: Path):
    long_text = "for chunk in chunks:\n    width += len(chunk)\n" * 20
    assert len(engine.tokenizer.encode_text(long_text)) > 256
    ours = generate(engine, long_text)[0].token_ids
    assert list(ours) == reference_ids(tiny_model_dir, engine, long_text, 24)


def test_a_prompt_that_is_too_long_is_an_error_with_the_limit(engine: DecodingEngine):
    with pytest.raises(PromptTooLongError, match="room for 488"):
        generate(engine, "return " * 600)
    assert generate(engine, "return " * 50)


def test_a_device_that_is_not_there_is_an_error(tiny_model_dir: Path):
    with pytest.raises(DeviceError, match="mps"):
        load_transformers_engine(tiny_model_dir, device="mps")
    assert load_transformers_engine(tiny_model_dir, device="cpu").device == "cpu"


def test_files_that_are_not_a_model_are_an_error(tmp_path: Path):
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(ModelError, match="has no file of weights"):
        load_transformers_engine(tmp_path)
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(b"GGUF" + b"\xff" * 100)
    with pytest.raises(ModelError, match=r"broken\.gguf"):
        load_transformers_engine(broken)


@pytest.mark.model
def test_the_real_gguf_is_unpacked_once_with_its_embedding_tied(real_engine: DecodingEngine):
    """llama.cpp quantized the one matrix twice; two copies would be 630 million parameters."""
    assert sum(weight.numel() for weight in model_of(real_engine).parameters()) == 494_032_768
    folder = Path(model_of(real_engine).name_or_path)
    before = (folder / "model.safetensors").stat()
    assert prepared_folder(ensure(resolve("qwen2.5-coder-0.5b"), offline=True)) == folder
    assert (folder / "model.safetensors").stat() == before


@pytest.mark.long
def test_the_larger_model_loads_and_writes_a_function():
    engine = load_transformers_engine(ensure(resolve("qwen2.5-coder-1.5b")), device="cpu", dtype="bfloat16")
    text = 'def double(x):\n    """Return twice x."""\n'
    assert "return" in generate(engine, text, max_new_tokens=12)[0].text
