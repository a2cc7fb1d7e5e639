"""From a model's folder to a runner."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import torch

from copilot_server.engine.backends.torch.cuda_graphs import CudaGraphs, Eager
from copilot_server.engine.backends.torch.decoder import Decoder
from copilot_server.engine.backends.torch.kernels import Kernels
from copilot_server.engine.backends.torch.kv_cache import BLOCK, KvCache, bytes_per_token
from copilot_server.engine.backends.torch.plan import EXACT_SHAPES, GRAPH_SHAPES
from copilot_server.engine.backends.torch.quantize import to_int4, to_int8
from copilot_server.engine.backends.torch.runner import TorchRunner
from copilot_server.engine.backends.torch.weights import Convert, Source, folder_source, load_weights
from copilot_server.engine.models.architecture import Architecture, read_architecture
from copilot_server.engine.runner import Choice, Chunk
from copilot_server.errors import EngineError, ModelError

#: The share of a GPU's memory, free once the weights are there, that the KV cache may take; the rest is for
#: activations, captured graphs, and whatever else the GPU draws.
KV_SHARE = 0.6

#: The most tokens that a KV cache is made for unasked: 256 sequences of 2,048.
MOST_KV_TOKENS = 524288

#: Room where free memory is not known, as in the main memory that a CPU and Apple's GPUs use.
SHARED_MEMORY_KV_TOKENS = 16384

#: A prompt's lengths, one for each number of blocks that is attended to, and tokens of a step after it.
WARM_LENGTHS, WARM_WIDTHS = (64, 320, 640, 1280), (1, 2, 4, 8, 16)

_QUANTIZED: dict[str, Convert] = {"int8": to_int8, "int4": to_int4}


@dataclass(frozen=True, slots=True)
class Options:
    """How a runner is made.

    ``cuda_graphs``: capture each step's shape on a CUDA device. ``triton``: use the Triton kernels there,
    where Triton is installed. ``kv_tokens``: room in the KV cache; None takes what ``KV_SHARE`` allows.
    """

    cuda_graphs: bool = True
    triton: bool = True
    kv_tokens: int | None = None
    max_sequences: int = 256


def open_torch_runner(
    folder: Path, device: torch.device, dtype: str, options: Options = Options()
) -> TorchRunner:
    """Load the Llama-like model in a folder of transformers' format.

    ``dtype``: ``float32``, ``bfloat16`` or ``float16``, or for the matrices ``int8`` or ``int4``.

    Raises:
        ModelError: it is not such a model, or a part of it is missing.
        EngineError: it does not fit in memory.
    """
    architecture = read_architecture(folder)
    if architecture is None:
        msg = f"The model in {folder} is of a kind that has no fast decoder."
        raise ModelError(msg, remedy="Set speed.fast to false.")
    return make_torch_runner(folder_source(folder), architecture, device, dtype, options)


def make_torch_runner(
    source: Source, architecture: Architecture, device: torch.device, dtype: str, options: Options = Options()
) -> TorchRunner:
    """A runner for weights from any source; see ``open_torch_runner``."""
    computed = _computed_dtype(dtype, device)
    with _memory_errors(), torch.inference_mode():
        convert = _QUANTIZED.get(dtype, lambda matrix: matrix)
        weights = load_weights(source, architecture, device=device, dtype=computed, convert=convert)
        tokens = options.kv_tokens or _kv_tokens(architecture, device, computed)
        cache = KvCache(
            architecture, tokens=tokens, max_sequences=options.max_sequences, device=device, dtype=computed
        )
        decoder = Decoder(architecture, weights, _kernels(architecture, device, options))
    captured = options.cuda_graphs and device.type == "cuda"
    return TorchRunner(
        decoder,
        cache,
        dtype=dtype,
        graphs=CudaGraphs() if captured else Eager(),
        shapes=GRAPH_SHAPES if captured else EXACT_SHAPES,
    )


def warm_up(runner: TorchRunner) -> None:
    """Take the steps that typing asks for, once.

    The first suggestion then need not wait for kernels to be compiled, measured and captured.
    """
    sequence = runner.open()
    for length in WARM_LENGTHS:
        if length + WARM_WIDTHS[-1] > runner.context_length:
            break
        runner.truncate(sequence, 0)
        runner.step([Chunk(sequence, [0] * length)])
        for width in WARM_WIDTHS:
            runner.step([Chunk(sequence, [0] * width, [Choice()] * width)])
            runner.truncate(sequence, length)
    runner.close(sequence)


def _computed_dtype(dtype: str, device: torch.device) -> torch.dtype:
    """What is computed in: for quantized weights, what the device is fastest at."""
    if dtype not in _QUANTIZED:
        return {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}[dtype]
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float16
    return torch.float16 if device.type == "mps" else torch.float32


def _kernels(architecture: Architecture, device: torch.device, options: Options) -> Kernels:
    if not options.triton or not _runs_triton(device):
        return Kernels(architecture)
    from copilot_server.engine.backends.torch.triton_kernels import TritonKernels  # noqa: PLC0415 - not everywhere

    return TritonKernels(architecture, device)


def _runs_triton(device: torch.device) -> bool:
    """Whether Triton is there, which torch for CUDA brings along on Linux, and can serve the device.

    It wants an Ampere GPU or a newer one; its interpreter serves a CPU, slowly, for whoever checks kernels.
    """
    if find_spec("triton") is None:
        return False
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    return device.type == "cpu" and os.environ.get("TRITON_INTERPRET") == "1"


def _kv_tokens(architecture: Architecture, device: torch.device, dtype: torch.dtype) -> int:
    if device.type != "cuda":
        return SHARED_MEMORY_KV_TOKENS
    free, _ = torch.cuda.mem_get_info(device)
    tokens = min(int(free * KV_SHARE) // bytes_per_token(architecture, dtype), MOST_KV_TOKENS)
    if tokens < BLOCK * 16:
        msg = f"Beside the weights, {device} has only {free / 1e9:.1f} GB free: too little for a KV cache."
        raise EngineError(msg, remedy="Choose a smaller model, --dtype int8 or int4, or --device cpu.")
    return tokens


@contextmanager
def _memory_errors() -> Iterator[None]:
    try:
        yield
    except torch.OutOfMemoryError as error:
        msg = f"The model does not fit in the device's memory ({error})."
        remedy = "Choose a smaller model, --dtype int8 or int4, or --device cpu."
        raise EngineError(msg, remedy=remedy) from error
