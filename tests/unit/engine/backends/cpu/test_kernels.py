"""The kernels against transformers, on each instruction set; no result depends on what runs beside it."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import AutoModelForCausalLM

from copilot_server.engine.backends.cpu import library
from copilot_server.engine.backends.cpu.layout import Dtype
from copilot_server.engine.models.gguf import prepared_folder
from copilot_server.engine.runner import Chunk
from tests.support.cpu_runner import GREEDY, greedy_choices, open_runner, random_tokens
from tests.support.kernels import available_instruction_sets, use_instruction_set
from tests.support.tiny_models import build_tiny_model


def reference_logprobs(folder: Path, prompt: Sequence[int]) -> np.ndarray:
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    with torch.inference_mode():
        return model(torch.tensor([list(prompt)])).logits[0].log_softmax(-1).numpy()


@pytest.mark.parametrize("architecture", ["qwen2", "llama"])
def test_float32_gives_what_transformers_gives(architecture: str, isa: str, tmp_path: Path):
    folder = build_tiny_model(architecture, tmp_path)
    prompt = random_tokens(70)
    expected = reference_logprobs(folder, prompt)
    drawn = greedy_choices(open_runner(folder), prompt, [len(prompt)])
    assert [token for token, _ in drawn] == expected.argmax(axis=1).tolist(), isa
    assert np.allclose([logprob for _, logprob in drawn], expected.max(axis=1), atol=2e-4)


@pytest.mark.parametrize(("dtype", "most"), [("bfloat16", 0.25), ("int8", 0.5)])
def test_smaller_numbers_stay_near(dtype: Dtype, most: float, isa: str, tiny_model_dir: Path):
    prompt = random_tokens(40)
    expected = reference_logprobs(tiny_model_dir, prompt)
    drawn = greedy_choices(open_runner(tiny_model_dir, dtype), prompt, [len(prompt)])
    errors = [abs(expected[i, token] - logprob) for i, (token, logprob) in enumerate(drawn)]
    assert np.mean(errors) < most, isa


def test_a_gguf_file_gives_what_transformers_makes_of_it(isa: str, models: Mapping[Dtype, Path]):
    prompt = random_tokens(40)
    expected = reference_logprobs(prepared_folder(models["gguf"]), prompt)
    drawn = greedy_choices(open_runner(models["gguf"], "gguf"), prompt, [len(prompt)])
    errors = [abs(expected[i, token] - logprob) for i, (token, logprob) in enumerate(drawn)]
    assert np.mean(errors) < 0.5, isa


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "int8", "gguf"])
def test_nothing_depends_on_how_a_prompt_is_cut(dtype: Dtype, isa: str, models: Mapping[Dtype, Path]):
    prompt = random_tokens(50)
    one = open_runner(models[dtype], dtype)
    whole = greedy_choices(one, prompt, [50])
    assert whole == greedy_choices(one, prompt, [1] * 50), isa
    assert whole == greedy_choices(one, prompt, [7, 1, 16, 26])
    assert whole != greedy_choices(one, random_tokens(50, seed=1), [50])


@pytest.mark.parametrize("dtype", ["float32", "int8", "gguf"])
def test_a_choice_does_not_depend_on_which_others_are_wanted(
    dtype: Dtype, isa: str, models: Mapping[Dtype, Path]
):
    """Of the last layer only the tokens are computed after which a choice is wanted."""
    one = open_runner(models[dtype], dtype)
    prompts = [random_tokens(30, seed) for seed in range(3)]
    whole = [greedy_choices(one, prompt, [30]) for prompt in prompts]
    sequences = [one.open() for _ in prompts]
    one.step([Chunk(sequences[0], prompts[0][:20]), Chunk(sequences[1], prompts[1][:9])])
    steps = [(prompts[0][20:], 1), (prompts[1][9:], 4), (prompts[2], 30)]
    drawn = one.step(
        [
            Chunk(sequence, tokens, [GREEDY] * wanted)
            for sequence, (tokens, wanted) in zip(sequences, steps, strict=True)
        ]
    )
    for chosen, expected, (_, wanted) in zip(drawn, whole, steps, strict=True):
        assert [(token.token_id, token.logprob) for token in chosen] == expected[-wanted:], isa


@settings(max_examples=25)
@given(seed=st.integers(0, 2**32))
def test_nothing_depends_on_what_runs_beside(seed: int, models: Mapping[Dtype, Path]):
    """Sequences of any length, each step any of them by any number of tokens: each is as if alone."""
    draw = random.Random(seed)
    dtype: Dtype = draw.choice(["int8", "gguf"])
    one = open_runner(models[dtype], dtype)
    prompts = [random_tokens(draw.randint(1, 40), seed + i) for i in range(draw.randint(1, 5))]
    alone = [greedy_choices(one, prompt, [len(prompt)]) for prompt in prompts]
    sequences = [one.open() for _ in prompts]
    together: list[list[tuple[int, float]]] = [[] for _ in prompts]
    while together != alone:
        counts = [
            draw.randint(0, len(whole) - len(part)) for whole, part in zip(alone, together, strict=True)
        ]
        moving = [i for i, count in enumerate(counts) if count]
        chunks = [
            Chunk(sequences[i], prompts[i][len(together[i]) :][: counts[i]], [GREEDY] * counts[i])
            for i in moving
        ]
        for i, drawn in zip(moving, one.step(chunks) if chunks else [], strict=True):
            together[i] += [(token.token_id, token.logprob) for token in drawn]
            assert together[i] == alone[i][: len(together[i])]


def test_attention_over_several_partitions_is_the_same_in_pieces(isa: str, tmp_path: Path):
    """Longer than the 256 keys that attention merges at a time."""
    folder = build_tiny_model("qwen2", tmp_path)
    config = (folder / "config.json").read_text()
    (folder / "config.json").write_text(
        config.replace('"max_position_embeddings": 512', '"max_position_embeddings": 2048')
    )
    prompt = random_tokens(1300)
    one = open_runner(folder)
    whole = greedy_choices(one, prompt, [1300])
    assert whole == greedy_choices(one, prompt, [300, 1, 500, 499]), isa
    expected = reference_logprobs(folder, prompt)
    assert [token for token, _ in whole] == expected.argmax(axis=1).tolist()


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "int8", "gguf"])
@pytest.mark.parametrize("name", available_instruction_sets())
def test_every_compiler_gives_the_same_numbers(
    dtype: Dtype, name: str, build: Path, models: Mapping[Dtype, Path], monkeypatch: pytest.MonkeyPatch
):
    """To the last bit: no compiler may contract or reorder what is computed."""
    prompt = random_tokens(40)
    with use_instruction_set(name):
        expected = greedy_choices(open_runner(models[dtype], dtype), prompt, [40])
    other = library.open_library(build)
    monkeypatch.setattr(library, "load_library", lambda: other)
    with use_instruction_set(name) as available:
        assert available
        assert greedy_choices(open_runner(models[dtype], dtype), prompt, [9, 1, 30]) == expected
