"""Loading a runner from a model's folder."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path

import torch

from copilot_server.engine.backends.torch.cuda_graphs import CudaGraphs, Eager, Graphs
from copilot_server.engine.backends.torch.decoder import Decoder
from copilot_server.engine.backends.torch.fallback import FallbackChain, describe_cause, lost_notice
from copilot_server.engine.backends.torch.kernels import Kernels
from copilot_server.engine.backends.torch.kv_cache import BLOCK_TOKENS, KvCache, bytes_per_token
from copilot_server.engine.backends.torch.matrix import DenseMatrix, QuantizedMatrix
from copilot_server.engine.backends.torch.plan import EXACT_SHAPES, GRAPH_SHAPES
from copilot_server.engine.backends.torch.quantize import to_int4, to_int8
from copilot_server.engine.backends.torch.runner import TorchRunner
from copilot_server.engine.backends.torch.weights import Convert, Source, folder_source, load_weights
from copilot_server.engine.models.architecture import Architecture, read_architecture
from copilot_server.engine.runner import Choice, Chunk
from copilot_server.errors import EngineError, ModelError

#: The tokens that a KV cache begins with: the 16 prompts that the prefix cache keeps for an editor, each of
#: the default length of 1,024 tokens. Where more are asked for at once, it grows (``TorchRunner.make_room``).
EDITOR_KV_TOKENS = 16384

#: The most tokens that a KV cache grows to, for a self-test: 256 sequences of 2,048.
MOST_KV_TOKENS = 524288

#: The share of a GPU's memory, free once the weights are there, that the KV cache may grow to; the rest is
#: for activations, captured graphs, and the user's other programs.
KV_SHARE = 0.6

#: The most tokens where free memory is not known, as in the main memory that a CPU and Apple's GPUs use.
SHARED_MEMORY_KV_TOKENS = 65536

#: What an editor asks for: a prompt's lengths, one for each number of blocks that a grid attends to; the
#: tokens of a step after it, which were typed, pasted or drafted; and the candidates offered when the user
#: asks for them, three by default, each of them with the drafts that it may verify.
WARM_LENGTHS = (64, 320, 640, 1280)
WARM_WIDTHS = (1, 2, 4, 8, 16, 32, 64, 128)
WARM_CANDIDATES, WARM_CANDIDATE_WIDTHS = (2, 3), (1, 2, 4, 8, 16)

_QUANTIZED: dict[str, Callable[[DenseMatrix], QuantizedMatrix]] = {"int8": to_int8, "int4": to_int4}


@dataclass(frozen=True, slots=True)
class Options:
    """How a runner is made.

    ``cuda_graphs``: capture each step's shape on a CUDA device. ``triton``: use the Triton kernels there,
    where Triton is installed. ``kv_tokens``: the fixed size of the KV cache; None lets it begin with
    ``EDITOR_KV_TOKENS`` and grow. ``tunings``: the file that remembers which kernels were measured fastest;
    None measures again at each start.
    """

    cuda_graphs: bool = True
    triton: bool = True
    kv_tokens: int | None = None
    max_sequences: int = 256
    tunings: Path | None = None


def open_torch_runner(
    folder: Path, device: torch.device, dtype: str, options: Options = Options()
) -> TorchRunner:
    """Load the Llama-like model in a folder in transformers' format.

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
    # The decoder computes a table of all positions, of which no more are used than fit in the cache.
    window = min(architecture.context_length, max(options.kv_tokens or 0, MOST_KV_TOKENS))
    architecture = replace(architecture, context_length=window)
    computed = computed_dtype(dtype, device)
    with _memory_errors(), torch.inference_mode():
        convert: Convert = conversion(dtype) or (lambda matrix: matrix)
        weights = load_weights(source, architecture, device=device, dtype=computed, convert=convert)
        limit = options.kv_tokens or _kv_limit(architecture, device, computed)
        cache = KvCache(
            architecture,
            tokens=options.kv_tokens or min(limit, EDITOR_KV_TOKENS),
            max_sequences=options.max_sequences,
            device=device,
            dtype=computed,
        )
    failures: list[str] = []
    decoder = Decoder(architecture, weights, _kernels(architecture, device, options, failures))
    graphs = _graphs(device, options, failures)
    shapes = EXACT_SHAPES if isinstance(graphs, Eager) else GRAPH_SHAPES
    chain = FallbackChain(decoder, graphs, shapes)
    for failure in failures:
        chain.add_notice(failure)
    return TorchRunner(chain, cache, dtype=dtype, kv_limit=limit)


def warm_up(runner: TorchRunner) -> None:
    """Run each kind of step that an editor needs once.

    After that, no suggestion has to wait for kernels to be compiled, measured and captured.
    """
    sequence = runner.open()
    for length in WARM_LENGTHS:
        if length + WARM_WIDTHS[-1] > runner.context_length:
            break
        runner.truncate(sequence, 0)
        runner.step([Chunk(sequence, [0] * length)])
        for width in WARM_WIDTHS:
            chosen = min(width, WARM_CANDIDATE_WIDTHS[-1])
            runner.step([Chunk(sequence, [0] * width, [Choice()] * chosen)])
            runner.truncate(sequence, length)
        for candidates in WARM_CANDIDATES:
            _warm_up_candidates(runner, sequence, length, candidates)
    runner.close(sequence)
    runner.chain.graphs.finish_warm_up()


def _warm_up_candidates(runner: TorchRunner, prompt: int, length: int, candidates: int) -> None:
    """Steps of several candidates for one prompt, all but the first of them sampled."""
    sampled = Choice(temperature=0.8, top_p=0.95, uniform=0.5)
    forks = [runner.fork(prompt, length) for _ in range(candidates)]
    for width in WARM_CANDIDATE_WIDTHS:
        runner.step([Chunk(fork, [0] * width, [sampled] * width) for fork in forks])
        for fork in forks:
            runner.truncate(fork, length)
    for fork in forks:
        runner.close(fork)


def conversion(dtype: str) -> Callable[[DenseMatrix], QuantizedMatrix] | None:
    """The function that converts a dense matrix to the number format; None if the format is dense."""
    return _QUANTIZED.get(dtype)


def computed_dtype(dtype: str, device: torch.device) -> torch.dtype:
    """The dtype of activations: for quantized weights, the one that the device is fastest at."""
    if dtype not in _QUANTIZED:
        return {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}[dtype]
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float16
    return torch.float16 if device.type == "mps" else torch.float32


def _kernels(
    architecture: Architecture, device: torch.device, options: Options, failures: list[str]
) -> Kernels:
    """Triton's kernels if the device can run them, else plain ones; appends errors to ``failures``."""
    if options.triton and runs_triton(device):
        try:
            from copilot_server.engine.backends.torch.triton_kernels import TritonKernels  # noqa: PLC0415 - not everywhere

            return TritonKernels(architecture, device, options.tunings)
        except Exception as error:  # noqa: BLE001 - an installation can be broken in any way
            failures.append(lost_notice("Triton's kernels", device, describe_cause(error)))
    return Kernels(architecture)


def _graphs(device: torch.device, options: Options, failures: list[str]) -> Graphs:
    """CUDA graphs where they are wanted and are available; appends errors to ``failures``."""
    if options.cuda_graphs and device.type == "cuda":
        try:
            return CudaGraphs()
        except RuntimeError as error:
            failures.append(lost_notice("CUDA graphs", device, describe_cause(error)))
    return Eager()


def runs_triton(device: torch.device) -> bool:
    """Whether Triton is installed, as it is with torch for CUDA on Linux, and compiles for the device.

    It needs a GPU of the Ampere generation or a newer one. Its interpreter runs on a CPU, slowly, and serves
    to check the kernels.
    """
    if find_spec("triton") is None:
        return False
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    return device.type == "cpu" and os.environ.get("TRITON_INTERPRET") == "1"


def _kv_limit(architecture: Architecture, device: torch.device, dtype: torch.dtype) -> int:
    if device.type != "cuda":
        return SHARED_MEMORY_KV_TOKENS
    free, _ = torch.cuda.mem_get_info(device)
    tokens = min(int(free * KV_SHARE) // bytes_per_token(architecture, dtype), MOST_KV_TOKENS)
    if tokens < BLOCK_TOKENS * 16:
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
