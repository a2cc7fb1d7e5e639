"""Loading a runner for the CPU from a model's folder, with the tuning that was measured on this machine."""

from __future__ import annotations

from pathlib import Path

import psutil

from copilot_server.engine.backends.cpu.layout import Dtype
from copilot_server.engine.backends.cpu.library import load_library
from copilot_server.engine.backends.cpu.model import check_architecture
from copilot_server.engine.backends.cpu.runner import CpuRunner
from copilot_server.engine.backends.cpu.tuning import Tuning, tune
from copilot_server.engine.backends.cpu.weights import open_weights
from copilot_server.engine.models.architecture import Architecture

#: The most tokens of a KV cache: 64 sequences of 2,048. It takes memory only as it is written to.
MOST_CACHE_TOKENS = 131072
#: The KV cache may grow to this share of the memory that is available when the model is loaded.
CACHE_SHARE = 0.4
MAX_SEQUENCES = 256
#: Instruction sets with which ``auto`` takes the formats of GGUF files: see ``fastest_dtype``.
FASTER_WITH_BLOCKS = ("avx2", "avx512bw", "avxvnni")


def open_cpu_runner(
    folder: Path, architecture: Architecture, dtype: Dtype, *, gguf: Path | None = None, threads: int = 0
) -> CpuRunner:
    """Load the model in ``folder``; ``threads`` 0 takes the number measured fastest.

    ``gguf``: the file that has its weights, if the folder has none.

    Raises:
        EngineError: the kernels were not compiled, or have too little room for a model of this shape.
        ModelError: the model's files lack a tensor, hold one of another shape, or cannot be read.
    """
    load_library()  # raises before anything is packed
    check_architecture(architecture)
    weights = open_weights(folder, architecture, dtype, gguf)
    cache_tokens = _cache_tokens(architecture, dtype)

    def make(count: int, tuning: Tuning | None = None) -> CpuRunner:
        return CpuRunner(
            weights,
            threads=count,
            cache_tokens=cache_tokens,
            max_sequences=MAX_SEQUENCES,
            tuning=tuning,
        )

    tuning = tune(make, key=tuning_key(architecture, dtype), threads=threads)
    return make(tuning.threads, tuning)


def tuning_key(architecture: Architecture, dtype: Dtype) -> str:
    """The name of a model and its number format, for the tuning: models of one shape are equally fast."""
    return f"{architecture} {dtype}"


def fastest_dtype(gguf: Path | None) -> Dtype:
    """The number format that is fastest on this processor for a model in a folder, or in a GGUF file.

    The formats of GGUF files are faster than int8 with AVX2 and slower with portable code and AVX-512 VNNI,
    as measured in benchmarks/LOG.md. For two instruction sets their instructions were counted there: with
    AVX-512 without VNNI they take half of int8's; with AVX-VNNI about a fifth more for a prompt, but steps of
    few tokens wait for memory, of which they read a third less. On ARM, whose instructions were counted in
    an emulator, they take 1.2 to 2.6 times int8's.

    Raises:
        EngineError: the kernels were not compiled.
    """
    isa = load_library().decoder_isa().decode()
    return "gguf" if gguf is not None and isa in FASTER_WITH_BLOCKS else "int8"


def _cache_tokens(architecture: Architecture, dtype: Dtype) -> int:
    numbers = 2 * architecture.layers * architecture.kv_heads * architecture.head_dim
    bytes_per_token = numbers * (4 if dtype == "float32" else 2)
    affordable = int(psutil.virtual_memory().available * CACHE_SHARE) // bytes_per_token
    return max(1024, min(affordable, MOST_CACHE_TOKENS))
