"""Our kernels for the CPU against transformers, and that nothing depends on what runs beside."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

from copilot_server.engine.backends.cpu import library
from copilot_server.engine.backends.cpu.library import PAGE, load_library
from copilot_server.engine.backends.cpu.runner import CpuRunner
from copilot_server.engine.backends.cpu.weights import Dtype, open_weights
from copilot_server.engine.models.architecture import read_architecture
from copilot_server.engine.runner import Choice, Chunk
from copilot_server.errors import EngineError, ModelError
from tests.support.tiny_models import build_tiny_model

GREEDY = Choice()


def runner(folder: Path, dtype: Dtype = "float32", **options: int) -> CpuRunner:
    architecture = read_architecture(folder)
    assert architecture is not None
    sizes = {"threads": 2, "cache_tokens": 4096, "max_sequences": 32, **options}
    return CpuRunner(open_weights(folder, architecture, dtype), **sizes)


def tokens(count: int, seed: int = 0) -> list[int]:
    draw = random.Random(seed)
    return [draw.randrange(10, 500) for _ in range(count)]


def greedy(one: CpuRunner, prompt: Sequence[int], chunks: Sequence[int]) -> list[tuple[int, float]]:
    """Read a prompt in pieces of these lengths; what is drawn after each of its tokens."""
    sequence = one.open()
    drawn = []
    start = 0
    for length in chunks:
        piece = list(prompt[start : start + length])
        drawn += one.step([Chunk(sequence, piece, [GREEDY] * len(piece))])[0]
        start += length
    one.close(sequence)
    return [(token.token_id, token.logprob) for token in drawn]


def reference_logprobs(folder: Path, prompt: Sequence[int]) -> np.ndarray:
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    with torch.inference_mode():
        return model(torch.tensor([list(prompt)])).logits[0].log_softmax(-1).numpy()


@pytest.fixture(params=["avx512", "avx2", "portable"])
def isa(request: pytest.FixtureRequest) -> Iterator[str]:
    """Each instruction set that this processor has; the portable one is always there."""
    best = load_library().decoder_isa()
    if not load_library().decoder_use_isa(request.param.encode()):
        # Not a skip: what a processor lacks cannot be tested on it, and the last one is never lacking.
        assert request.param != "portable"
    yield load_library().decoder_isa().decode()
    load_library().decoder_use_isa(best)


@pytest.mark.parametrize("architecture", ["qwen2", "llama"])
def test_float32_gives_what_transformers_gives(architecture: str, isa: str, tmp_path: Path):
    folder = build_tiny_model(architecture, tmp_path)
    prompt = tokens(70)
    expected = reference_logprobs(folder, prompt)
    drawn = greedy(runner(folder), prompt, [len(prompt)])
    assert [token for token, _ in drawn] == expected.argmax(axis=1).tolist(), isa
    assert np.allclose([logprob for _, logprob in drawn], expected.max(axis=1), atol=2e-4)


@pytest.mark.parametrize(("dtype", "most"), [("bfloat16", 0.25), ("int8", 0.5)])
def test_smaller_numbers_stay_near(dtype: Dtype, most: float, isa: str, tiny_model_dir: Path):
    prompt = tokens(40)
    expected = reference_logprobs(tiny_model_dir, prompt)
    drawn = greedy(runner(tiny_model_dir, dtype), prompt, [len(prompt)])
    errors = [abs(expected[i, token] - logprob) for i, (token, logprob) in enumerate(drawn)]
    assert np.mean(errors) < most, isa


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "int8"])
def test_nothing_depends_on_how_a_prompt_is_cut(dtype: Dtype, isa: str, tiny_model_dir: Path):
    prompt = tokens(50)
    one = runner(tiny_model_dir, dtype)
    whole = greedy(one, prompt, [50])
    assert whole == greedy(one, prompt, [1] * 50), isa
    assert whole == greedy(one, prompt, [7, 1, 16, 26])
    assert whole != greedy(one, tokens(50, seed=1), [50])


@settings(max_examples=25)
@given(seed=st.integers(0, 2**32))
def test_nothing_depends_on_what_runs_beside(seed: int, tiny_model_dir: Path):
    """Sequences of any length, each step any of them by any number of tokens: each is as if alone."""
    draw = random.Random(seed)
    one = runner(tiny_model_dir, "int8")
    prompts = [tokens(draw.randint(1, 40), seed + i) for i in range(draw.randint(1, 5))]
    alone = [greedy(one, prompt, [len(prompt)]) for prompt in prompts]
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


def test_attention_over_several_partitions_is_the_same_in_pieces(tmp_path: Path):
    """Longer than the 512 keys that attention merges at a time."""
    folder = build_tiny_model("qwen2", tmp_path)
    config = (folder / "config.json").read_text()
    (folder / "config.json").write_text(
        config.replace('"max_position_embeddings": 512', '"max_position_embeddings": 2048')
    )
    prompt = tokens(1300)
    one = runner(folder)
    whole = greedy(one, prompt, [1300])
    assert whole == greedy(one, prompt, [300, 1, 500, 499])
    expected = reference_logprobs(folder, prompt)
    assert [token for token, _ in whole] == expected.argmax(axis=1).tolist()


def test_a_fork_goes_its_own_way(tiny_model_dir: Path):
    one = runner(tiny_model_dir)
    prompt, left, right = tokens(37), tokens(20, 1), tokens(20, 2)
    expected = [greedy(one, prompt + tail, [57])[37:] for tail in (left, right)]
    sequence = one.open()
    one.step([Chunk(sequence, prompt)])
    fork = one.fork(sequence, 37)
    drawn = one.step([Chunk(sequence, left, [GREEDY] * 20), Chunk(fork, right, [GREEDY] * 20)])
    assert [[(token.token_id, token.logprob) for token in row] for row in drawn] == expected
    assert expected[0] != expected[1]


def test_a_truncated_sequence_goes_on_as_if_nothing_had_been_there(tiny_model_dir: Path):
    one = runner(tiny_model_dir)
    prompt, wrong, right = tokens(30), tokens(25, 1), tokens(20, 2)
    expected = greedy(one, prompt + right, [50])[30:]
    sequence = one.open()
    one.step([Chunk(sequence, prompt)])
    one.step([Chunk(sequence, wrong)])
    one.truncate(sequence, 30)
    drawn = one.step([Chunk(sequence, right, [GREEDY] * 20)])[0]
    assert [(token.token_id, token.logprob) for token in drawn] == expected


def test_pages_come_back_and_running_out_of_them_is_said(tiny_model_dir: Path):
    one = runner(tiny_model_dir, cache_tokens=4 * PAGE, max_sequences=2)
    assert one.free_tokens == 4 * PAGE
    first = one.open()
    one.step([Chunk(first, tokens(3 * PAGE + 1))])
    second = one.fork(first, 2 * PAGE)
    assert one.free_tokens == 0
    with pytest.raises(EngineError, match="full") as caught:
        one.step([Chunk(second, tokens(1))])
    assert caught.value.remedy
    one.close(first)
    assert one.free_tokens == 2 * PAGE
    assert one.step([Chunk(second, tokens(1), [GREEDY])])[0]
    one.close(second)
    assert one.free_tokens == 4 * PAGE
    one.open(), one.open()
    with pytest.raises(EngineError, match="Too many"):
        one.open()


def test_a_choice_among_few_and_a_sample(tiny_model_dir: Path):
    one = runner(tiny_model_dir)
    sequence = one.open()
    chosen = one.step([Chunk(sequence, tokens(5), [Choice(allowed=[17, 23])])])[0][0]
    assert chosen.token_id in (17, 23)
    draws = set()
    for i in range(20):
        one.truncate(sequence, 4)
        draws.add(one.step([Chunk(sequence, [9], [Choice(temperature=2.0, uniform=i / 20)])])[0][0].token_id)
    assert len(draws) > 5


def test_packed_weights_are_made_once_and_again_when_spoilt(tmp_path: Path):
    folder = build_tiny_model("qwen2", tmp_path)
    before = greedy(runner(folder, "int8"), tokens(9), [9])
    path = folder / "packed-int8.weights"
    made = path.stat().st_mtime_ns
    assert greedy(runner(folder, "int8"), tokens(9), [9]) == before
    assert path.stat().st_mtime_ns == made
    path.write_bytes(b"nothing")
    assert greedy(runner(folder, "int8"), tokens(9), [9]) == before
    assert path.stat().st_size > 1000


def test_packed_weights_are_made_again_when_the_models_own_change(tmp_path: Path):
    folder = build_tiny_model("qwen2", tmp_path)
    before = greedy(runner(folder, "int8"), tokens(9), [9])
    weights = load_file(folder / "model.safetensors")
    weights["model.norm.weight"] = -weights["model.norm.weight"]
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    assert greedy(runner(folder, "int8"), tokens(9), [9]) != before


def test_a_model_that_is_not_ours_to_write_beside_is_packed_among_the_cached_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    folder = build_tiny_model("qwen2", tmp_path / "model")
    monkeypatch.setenv("COPILOT_SERVER_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(os, "access", lambda *_: False)  # root, as which tests may run, may write anywhere
    assert greedy(runner(folder, "int8"), tokens(9), [9])
    assert not list(folder.glob("packed-*"))
    assert list((tmp_path / "home").rglob("packed-int8.weights"))


def test_weights_that_lack_a_tensor_are_refused(tmp_path: Path):
    folder = build_tiny_model("qwen2", tmp_path)
    config = (folder / "config.json").read_text()
    (folder / "config.json").write_text(config.replace('"num_hidden_layers": 2', '"num_hidden_layers": 3'))
    with pytest.raises(ModelError, match=r"layers\.2"):
        runner(folder)
    assert not list(folder.glob(".packing-*"))


def test_without_compiled_kernels_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch):
    load_library.cache_clear()
    monkeypatch.setattr(library, "EXTENSION_SUFFIXES", [".none"])
    with pytest.raises(EngineError) as caught:
        load_library()
    assert "compiler" in (caught.value.remedy or "")
    load_library.cache_clear()
