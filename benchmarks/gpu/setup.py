"""What the parts of the GPU bench share: shapes, workloads, and how to time and print."""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from copilot_server.engine.backends.torch.loading import Options, make_torch_runner
from copilot_server.engine.backends.torch.runner import TorchRunner
from copilot_server.engine.backends.torch.weights import Source, folder_source, random_source
from copilot_server.engine.models.architecture import Architecture, read_architecture
from copilot_server.engine.runner import Choice, Chunk
from copilot_server.errors import ModelError

SHAPES = {
    "0.5B": Architecture(24, 896, 14, 2, 64, 4864, 151936, 32768, rope_theta=1e6, tied=True),
    "1.5B": Architecture(28, 1536, 12, 2, 128, 8960, 151936, 32768, rope_theta=1e6, tied=True),
    "7B": Architecture(28, 3584, 28, 4, 128, 18944, 152064, 32768, rope_theta=1e6),
    "mini": Architecture(1, 128, 2, 1, 64, 256, 256, 512, rope_theta=1e6, tied=True),
    "tiny": Architecture(2, 256, 4, 2, 64, 512, 1024, 1024, rope_theta=1e6, tied=True),
}

GREEDY = Choice()


@dataclass(frozen=True)
class Workload:
    """How much is measured; lengths in tokens.

    ``wide_batches``: of the first shape, at the first context, without the peer. ``mean_tokens``: of a
    sample; HumanEval's answers have 74 with the 0.5B (``LOG.md``).
    """

    shapes: tuple[str, ...]
    batches: tuple[int, ...]
    wide_batches: tuple[int, ...]
    contexts: tuple[int, ...]
    steps: int
    runs: int
    formats: tuple[str, ...]
    prefix: int
    typed: int
    suggestion: int
    suggestions: int
    prompts: int
    samples: int
    mean_tokens: int
    rows: int


FULL = Workload(
    shapes=("0.5B", "1.5B", "7B"),
    batches=(1, 8),
    wide_batches=(64, 256),
    contexts=(1024, 4096),
    steps=32,
    runs=3,
    formats=("bfloat16", "int8", "int4"),
    prefix=1500,
    typed=8,
    suggestion=64,
    suggestions=11,
    prompts=164,
    samples=8,
    mean_tokens=74,
    rows=256,
)

QUICK = Workload(
    shapes=("tiny",),
    batches=(1, 2),
    wide_batches=(4,),
    contexts=(64,),
    steps=4,
    runs=1,
    formats=("float32", "int8", "int4"),
    prefix=60,
    typed=3,
    suggestion=6,
    suggestions=2,
    prompts=3,
    samples=2,
    mean_tokens=5,
    rows=4,
)


@dataclass
class Bench:
    """Where and what is measured, the ceilings, and the figures so far.

    ``limit_s``: seconds for a part; ``right``: the share of drafts that are right.
    """

    device: torch.device
    dtype: str
    workload: Workload
    limit_s: float
    right: float
    copy_bytes_s: float = 0.0
    matmul_flop_s: float = 0.0
    figures: dict[str, Any] = field(default_factory=dict)
    deadline: float = 0.0

    @property
    def number(self) -> torch.dtype:
        """The number format of the computation."""
        return {"float32": torch.float32, "bfloat16": torch.bfloat16}[self.dtype]

    @property
    def is_late(self) -> bool:
        """Whether the part has used up its time."""
        return time.perf_counter() > self.deadline

    def start_part(self) -> None:
        """Start the time limit of the next part."""
        self.deadline = time.perf_counter() + self.limit_s

    def synchronize(self) -> None:
        """Wait for the device."""
        if self.device.type == "cuda":
            torch.cuda.synchronize()
        elif self.device.type == "mps":
            torch.mps.synchronize()

    def median_s(self, function: Callable[[], object], runs: int) -> float:
        """Median seconds of ``runs`` calls, or as many as the part has time for, after one to warm up."""
        function()
        times: list[float] = []
        while len(times) < runs and not (times and self.is_late):
            self.synchronize()
            start = time.perf_counter()
            function()
            self.synchronize()
            times.append(time.perf_counter() - start)
        return statistics.median(times)

    def make(
        self,
        name: str,
        source: Source | None = None,
        *,
        dtype: str | None = None,
        options: Options | None = None,
    ) -> TorchRunner:
        """A runner for a shape, or for the model in the folder of that name."""
        source = source or source_of(name, self.device)
        return make_torch_runner(
            source, shape_of(name), self.device, dtype or self.dtype, options or Options()
        )

    def report(self, title: str, row: Mapping[str, float]) -> None:
        """Print one line of a table."""
        cells = "  ".join(f"{key} {value:.4g}" for key, value in row.items())
        print(f"{title:<28} {cells}", flush=True)


def shape_of(name: str) -> Architecture:
    """The shape of that name, or of the model in the folder of that name.

    Raises:
        ModelError: it is of a kind that has no fast decoder.
    """
    if name in SHAPES:
        return SHAPES[name]
    architecture = read_architecture(Path(name))
    if architecture is None:
        msg = f"The model in {name} is of a kind that has no fast decoder."
        raise ModelError(msg)
    return architecture


def source_of(name: str, device: torch.device) -> Source:
    """Random weights for a shape, or those in the folder of that name."""
    return random_source(SHAPES[name], device=device) if name in SHAPES else folder_source(Path(name))


def token_ids(count: int, shape: Architecture, seed: int = 0) -> list[int]:
    """Random tokens."""
    draw = random.Random(f"{seed}/{count}")
    return [draw.randrange(shape.vocab_size) for _ in range(count)]


def read_prompts(runner: TorchRunner, sequences: Sequence[int], length: int) -> None:
    """Read a prompt of ``length`` random tokens into each sequence, chunk by chunk, and draw one token."""
    shape, size = runner.decoder.architecture, runner.prefill_chunk
    prompts = {sequence: token_ids(length, shape, seed=sequence) for sequence in sequences}
    for start in range(0, length, size):
        end = min(start + size, length)
        choices = (GREEDY,) if end == length else ()
        runner.step([Chunk(sequence, ids[start:end], choices) for sequence, ids in prompts.items()])
