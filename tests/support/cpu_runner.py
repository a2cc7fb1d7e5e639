"""Runners on the CPU kernels, and prompts of random tokens for them."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

from copilot_server.engine.backends.cpu.layout import Dtype
from copilot_server.engine.backends.cpu.runner import CpuRunner
from copilot_server.engine.backends.cpu.tuning import Tuning
from copilot_server.engine.backends.cpu.weights import Weights, open_weights
from copilot_server.engine.models.architecture import read_architecture
from copilot_server.engine.models.gguf import described_folder
from copilot_server.engine.runner import Choice, Chunk

GREEDY = Choice()


def folder_of(model: Path) -> Path:
    """The configuration and tokenizer of the model in a folder, or in a GGUF file."""
    folder = described_folder(model) if model.suffix == ".gguf" else model
    assert folder is not None
    return folder


def open_model_weights(model: Path, dtype: Dtype) -> Weights:
    """The packed weights of the model in a folder, or in a GGUF file."""
    architecture = read_architecture(folder_of(model))
    assert architecture is not None
    return open_weights(folder_of(model), architecture, dtype, model if model.suffix == ".gguf" else None)


def open_runner(
    model: Path, dtype: Dtype = "float32", tuning: Tuning | None = None, **options: int
) -> CpuRunner:
    """A runner for the model in a folder, or in a GGUF file, with two threads and a small KV cache."""
    sizes = {"threads": 2, "cache_tokens": 4096, "max_sequences": 32, **options}
    return CpuRunner(open_model_weights(model, dtype), tuning=tuning, **sizes)


def random_tokens(count: int, seed: int = 0) -> list[int]:
    """Random tokens of a tiny model's vocabulary, the same for the same seed."""
    chosen = random.Random(seed)
    return [chosen.randrange(10, 500) for _ in range(count)]


def greedy_choices(
    runner: CpuRunner, prompt: Sequence[int], chunk_lengths: Sequence[int]
) -> list[tuple[int, float]]:
    """Read a prompt in chunks; return the token chosen after each of its tokens, with its log-probability."""
    sequence = runner.open()
    chosen = []
    start = 0
    for length in chunk_lengths:
        piece = list(prompt[start : start + length])
        chosen += runner.step([Chunk(sequence, piece, [GREEDY] * len(piece))])[0]
        start += length
    runner.close(sequence)
    return [(token.token_id, token.logprob) for token in chosen]
