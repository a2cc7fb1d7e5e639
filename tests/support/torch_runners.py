"""Runners on PyTorch, on the CPU, for the tests of ``engine.backends.torch``."""

from __future__ import annotations

import random
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar, cast

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM, PreTrainedModel

from copilot_server.engine.backends.torch.cuda_graphs import Eager, Graphs
from copilot_server.engine.backends.torch.decoder import Decoder
from copilot_server.engine.backends.torch.fallback import FallbackChain
from copilot_server.engine.backends.torch.kernels import Kernels
from copilot_server.engine.backends.torch.kv_cache import KvCache
from copilot_server.engine.backends.torch.plan import EXACT_SHAPES, Shapes
from copilot_server.engine.backends.torch.runner import TorchRunner
from copilot_server.engine.backends.torch.weights import folder_source, load_weights
from copilot_server.engine.models.architecture import Architecture
from copilot_server.engine.runner import Choice, Chunk, Drawn

T = TypeVar("T")

CPU = torch.device("cpu")
GREEDY = (Choice(),)

#: A configuration of transformers for models that are made in a moment.
SMALL = {
    "vocab_size": 600,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "max_position_embeddings": 256,
}


@dataclass
class Replayed:
    """Runs the first function that came with a key whenever the key comes up, as a captured graph would."""

    captured: dict[Hashable, Callable[[], object]] = field(default_factory=dict)

    def run(self, key: Hashable, function: Callable[[], T]) -> T:
        return cast("T", self.captured.setdefault(key, function)())

    def clear(self) -> None:
        self.captured.clear()

    def finish_warm_up(self) -> None:
        pass


def architecture_of(folder: Path) -> Architecture:
    config: dict[str, Any] = AutoModelForCausalLM.from_pretrained(folder).config.to_dict()
    return Architecture.from_config(config)


def make_runner(
    folder: Path,
    *,
    shapes: Shapes = EXACT_SHAPES,
    graphs: Graphs | None = None,
    tokens: int = 4096,
    max_sequences: int = 16,
    kernels: type[Kernels] = Kernels,
    kv_limit: int | None = None,
) -> TorchRunner:
    architecture = architecture_of(folder)
    weights = load_weights(folder_source(folder), architecture, device=CPU, dtype=torch.float32)
    chain = FallbackChain(Decoder(architecture, weights, kernels(architecture)), graphs or Eager(), shapes)
    cache = KvCache(architecture, tokens=tokens, max_sequences=max_sequences, device=CPU, dtype=torch.float32)
    return TorchRunner(chain, cache, dtype="float32", kv_limit=kv_limit)


def random_tokens(count: int, seed: int = 0) -> list[int]:
    draw_ids = random.Random(seed)
    return [draw_ids.randrange(10, 600) for _ in range(count)]


def logits_after(model: PreTrainedModel, ids: Sequence[int]) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Of every token, (tokens, vocab_size)."""
    with torch.inference_mode():
        return model(torch.tensor([ids])).logits[0].numpy()


def read_prompt(runner: TorchRunner, ids: Sequence[int]) -> int:
    sequence = runner.open()
    runner.step([Chunk(sequence, ids)])
    return sequence


def write_greedily(runner: TorchRunner, sequence: int, first: Sequence[int], count: int) -> list[int]:
    """Greedy tokens after ``first``."""
    ids, written = list(first), []
    for _ in range(count):
        [[drawn]] = runner.step([Chunk(sequence, ids, GREEDY)])
        ids = [drawn.token_id]
        written += ids
    return written


def greedy(runner: TorchRunner, prompt: Sequence[int], count: int) -> list[int]:
    sequence = runner.open()
    written = write_greedily(runner, sequence, prompt, count)
    runner.close(sequence)
    return written


def greedy_of(model: PreTrainedModel, prompt: Sequence[int], count: int) -> list[int]:
    ids = torch.tensor([prompt])
    output = model.generate(
        ids,
        attention_mask=torch.ones_like(ids),
        do_sample=False,
        max_new_tokens=count,
        eos_token_id=None,
        pad_token_id=0,
    )
    return output[0, len(prompt) :].tolist()


def assert_alike(drawn: Iterable[Drawn], expected: Iterable[Drawn]) -> None:
    for one, other in zip(drawn, expected, strict=True):
        assert one.token_id == other.token_id
        assert one.logprob == pytest.approx(other.logprob, abs=1e-4)
