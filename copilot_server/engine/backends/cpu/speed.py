"""How fast this processor multiplies and reads memory, measured with layers that nobody trained."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping

import numpy as np

from copilot_server.engine.backends.cpu.layout import (
    Dtype,
    Format,
    Formats,
    Layout,
    matrices,
    packed_layout,
    padded,
    uniform,
)
from copilot_server.engine.backends.cpu.library import load_library
from copilot_server.engine.backends.cpu.runner import CpuRunner
from copilot_server.engine.backends.cpu.tensors import ALIGNMENT, Array
from copilot_server.engine.backends.cpu.tuning import thread_counts
from copilot_server.engine.backends.cpu.weights import Weights
from copilot_server.engine.models.architecture import Architecture
from copilot_server.engine.runner import Choice, Chunk

#: Layers of the 1.5B's shape: more than a processor's caches hold, as a whole model's. Nothing is chosen from
#: the vocabulary, so that it is short.
SHAPE = Architecture(
    layers=4,
    hidden=1536,
    heads=12,
    kv_heads=2,
    head_dim=128,
    intermediate=8960,
    vocab_size=64,
    context_length=1024,
    tied=True,
)
#: How many tokens of a prompt are read in a step that is timed, and after how many others.
READ, CONTEXT = 64, 64
#: Of so many steps the shortest counts: what else the machine does makes the others longer. After so many
#: seconds no step is repeated.
READINGS, WRITINGS, PATIENCE_S = 5, 7, 1.0
#: A whole model reads at 0.7 (0.5B) to 0.9 (1.5B) of the speed of these layers (benchmarks/LOG.md,
#: 2026-11-30): its matrices are smaller, or in slower formats.
WHOLE_MODEL = 0.75
#: The layers whose ``down`` has six bits in files that are called Q4_K_M: every other one.
SIX_BITS = (0, 2)


def measure_speed(dtype: Dtype, threads: int = 0) -> tuple[float, float]:
    """Return the multiplications and additions per second of reading, and the bytes per second of writing.

    It takes about a second on two cores. ``threads``: how many to use; 0 takes the fastest number.

    Raises:
        EngineError: the kernels were not compiled.
    """
    load_library()  # raises before memory is filled
    weights = synthetic_weights(dtype)
    size = sum(array.nbytes for name, array in weights.tensors.items() if name.startswith("layers."))
    counts = [threads] if threads else thread_counts()
    write_s, best = min((_writing_s(weights, count), count) for count in counts)
    products = sum(math.prod(shape) for name, shape in matrices(SHAPE).items() if name != "embedding")
    return WHOLE_MODEL * READ * products / _reading_s(weights, best), size / write_s


def synthetic_weights(dtype: Dtype) -> Weights:
    """Weights of ``SHAPE``, all of them zero."""
    formats = _formats(dtype)
    return Weights(SHAPE, dtype, _zeros(packed_layout(SHAPE, formats, bias=False)), formats)


def _formats(dtype: Dtype) -> Formats:
    """The formats of all matrices; those of a file that is called Q4_K_M for ``gguf``."""
    if dtype != "gguf":
        return uniform(SHAPE, dtype)
    formats: dict[str, Format] = dict.fromkeys(matrices(SHAPE), "q4_k")
    formats["embedding"] = "int8"
    for layer in SIX_BITS:
        formats[f"layers.{layer}.down"] = "q6_k"
    return formats


def _zeros(layout: Layout) -> Mapping[str, Array]:
    """Tensors of zeros, all of which are written: the system has one page for zeros that were not."""
    sizes = {name: math.prod(shape) * np.dtype(kind).itemsize for name, (kind, shape) in layout.items()}
    memory = np.empty(sum(padded(size, ALIGNMENT) for size in sizes.values()) + ALIGNMENT, np.uint8)
    memory.fill(0)
    tensors, start = {}, -memory.ctypes.data % ALIGNMENT
    for name, (kind, shape) in layout.items():
        tensors[name] = memory[start : start + sizes[name]].view(kind).reshape(shape)
        start += padded(sizes[name], ALIGNMENT)
    return tensors


def _reading_s(weights: Weights, threads: int) -> float:
    """The shortest time of a step that reads ``READ`` tokens of a prompt."""
    runner = _runner(weights, threads)
    sequence = runner.open()
    runner.step([Chunk(sequence, [1] * CONTEXT)])
    return _shortest_s(runner, Chunk(sequence, [1] * READ), CONTEXT, READINGS)


def _writing_s(weights: Weights, threads: int) -> float:
    """The shortest time of a step that reads one token and chooses the next."""
    runner = _runner(weights, threads)
    return _shortest_s(runner, Chunk(runner.open(), [1], [Choice()]), 0, WRITINGS)


def _runner(weights: Weights, threads: int) -> CpuRunner:
    return CpuRunner(weights, threads=threads, cache_tokens=SHAPE.context_length, max_sequences=1)


def _shortest_s(runner: CpuRunner, chunk: Chunk, context: int, times: int) -> float:
    """The shortest time of a step after ``context`` tokens, in seconds."""
    shortest_s, began_s = math.inf, time.perf_counter()
    for _ in range(times):
        start_s = time.perf_counter()
        runner.step([chunk])
        end_s = time.perf_counter()
        runner.truncate(chunk.sequence, context)
        shortest_s = min(shortest_s, end_s - start_s)
        if end_s - began_s > PATIENCE_S:
            break
    return shortest_s
