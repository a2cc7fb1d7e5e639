"""Compiles Triton's kernels for GPUs that are not there.

What launches the kernels runs on tensors without data, so that exactly what would be launched is compiled.

Usage: python -m tests.support.triton_targets CAPABILITY [--all | --too-large]
Prints a line for each kernel, which ends in "ok" if the kernel fits the chip of that compute capability.
"""

from __future__ import annotations

import io
import itertools
import os
import re
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from typing import Any

import torch
import triton
from triton.backends.compiler import GPUTarget
from triton.backends.driver import DriverBase
from triton.runtime.jit import JITFunction

from copilot_server.engine.backends.torch.inputs import GridInputs
from copilot_server.engine.backends.torch.limits import LIMITS, MOST_REGISTERS_OF_THREAD, Limits
from copilot_server.engine.backends.torch.matrix import DenseMatrix, Int4Matrix, Int8Matrix
from copilot_server.engine.backends.torch.triton_attention import (
    SplitAttention,
    attend_shared_bytes,
    rotate_and_store,
)
from copilot_server.engine.backends.torch.triton_matrix import (
    INT4_TILINGS,
    TILE_TILINGS,
    VECTOR_TILINGS,
    AnyMatrix,
    Around,
    Tiling,
    gate,
    multiply_tile,
    multiply_vector,
    tile_shared_bytes,
    tile_tilings,
)
from copilot_server.engine.models.architecture import Architecture

#: Spilled registers only cost time, but a kernel that spills more than this per thread is a mistake.
MOST_SPILLED_BYTES = 512

META = torch.device("meta")

#: The shared memory that a kernel takes according to the choosers, by its constants.
BOUNDS: dict[tuple[object, ...], int] = {}

#: The shapes of Qwen2.5-Coder 0.5B, 1.5B and 7B, of which the kernels' constants are made.
SHAPES = (
    Architecture(24, 896, 14, 2, 64, 4864, 151936, 32768),
    Architecture(28, 1536, 12, 2, 128, 8960, 151936, 32768),
    Architecture(28, 3584, 28, 4, 128, 18944, 152064, 32768),
)

_USED = re.compile(r"Used (\d+) registers")
_SPILLED = re.compile(r"(\d+) bytes spill stores")


@dataclass(frozen=True, slots=True)
class Compiled:
    """One kernel for one chip: the resources of a block of threads, and what it was specialized for."""

    name: str
    capability: tuple[int, int]
    shared_bytes: int
    registers: int
    spilled_bytes: int
    threads: int
    constants: dict[str, object]


class AbsentDevice(DriverBase):
    """A driver for a GPU that is not there: kernels are compiled for it and never launched."""

    def __init__(self, capability: tuple[int, int]) -> None:
        self.capability = capability

    @classmethod
    def is_active(cls) -> bool:
        return False

    def map_python_to_cpp_type(self, ty: str) -> str:
        return ty

    def get_current_target(self) -> GPUTarget:
        major, minor = self.capability
        return GPUTarget("cuda", 10 * major + minor, 32)

    def get_current_device(self) -> tuple[int, int]:
        return self.capability  # kernels are kept by device, so that each chip has its own

    def get_current_stream(self, _device: object) -> int:
        return 0

    def get_active_torch_device(self) -> None:
        return None

    def get_benchmarker(self) -> None:  # type: ignore[override]
        return None


def _described(
    metadata: Any,  # noqa: ANN401 - a named tuple that Triton creates
    capability: tuple[int, int],
    log: str,
    constants: dict[str, object],
) -> Compiled:
    used, spilled = _USED.search(log), _SPILLED.search(log)
    assert used is not None, log
    return Compiled(
        name=metadata.name,
        capability=capability,
        shared_bytes=metadata.shared,
        registers=int(used[1]),
        spilled_bytes=0 if spilled is None else int(spilled[1]),
        threads=32 * metadata.num_warps,
        constants=constants,
    )


@contextmanager
def compiling_for(capability: tuple[int, int]) -> Iterator[list[Compiled]]:
    """Within the context, launching a kernel only compiles it; the list has each kernel once, in order."""
    compiled: list[Compiled] = []
    run, do_compile = JITFunction.run, JITFunction._do_compile

    def only_compile(function: JITFunction, *args: object, warmup: bool, **kwargs: object) -> object:
        return run(function, *args, warmup=True, **kwargs)

    def keep(function: JITFunction, key: object, signature: object, device: object, *rest: Any) -> object:  # noqa: ANN401
        log = io.StringIO()
        with redirect_stdout(log):
            kernel = do_compile(function, key, signature, device, *rest)
        constants = {function.arg_names[index[0]]: value for index, value in rest[0].items()}
        compiled.append(_described(kernel.metadata, capability, log.getvalue(), constants))
        return kernel

    triton.runtime.driver.set_active(AbsentDevice(capability))
    JITFunction.run, JITFunction._do_compile = only_compile, keep  # type: ignore[method-assign]
    triton.knobs.nvidia.dump_ptxas_log = True
    try:
        yield compiled
    finally:
        triton.knobs.nvidia.dump_ptxas_log = False
        JITFunction.run, JITFunction._do_compile = run, do_compile  # type: ignore[method-assign]
        triton.runtime.driver._active = None


def matrix(bits: int, dtype: torch.dtype, outputs: int, inputs: int, *, has_bias: bool = False) -> AnyMatrix:
    """A matrix without data."""
    bias = torch.empty(outputs, device=META, dtype=dtype) if has_bias else None
    if bits == 16:
        return DenseMatrix(torch.empty(outputs, inputs, device=META, dtype=dtype), bias)
    if bits == 8:
        values = torch.empty(outputs, inputs, device=META, dtype=torch.int8)
        return Int8Matrix(values, torch.empty(outputs, device=META), bias)
    packed = torch.empty(outputs, inputs // 2, device=META, dtype=torch.uint8)
    scales = torch.empty(outputs, inputs // 64, device=META, dtype=dtype)
    return Int4Matrix(packed, scales, scales, bias)


def tile(dtype: torch.dtype, bits: int, tokens: int, tiling: Tiling, *, around: str, limits: Limits) -> None:
    """Launch the kernel for several tokens, where the chooser would."""
    weights = matrix(bits, dtype, 2048, 1536, has_bias=around == "bias")
    x = torch.empty(tokens, 1536, device=META, dtype=dtype)
    residual = torch.empty(tokens, 2048, device=META, dtype=dtype) if around == "residual" else None
    if tile_shared_bytes(x, weights, tiling) <= limits.shared_bytes:
        out = torch.float32 if around == "logits" else None
        multiply_tile(x, weights, tiling, residual=residual, dtype=out)
        BOUNDS[bits, tokens, tiling.outputs, tiling.inputs] = tile_shared_bytes(x, weights, tiling)


def vector(dtype: torch.dtype, bits: int, tiling: Tiling, around: str) -> None:
    """Launch the kernel for one token."""
    x, outputs = (
        torch.empty(1, 1536, device=META, dtype=dtype),
        torch.empty(1, 2048, device=META, dtype=dtype),
    )
    norm = torch.empty(1536, device=META, dtype=dtype)
    weights = matrix(bits, dtype, 4096 if around == "gate" else 2048, 1536, has_bias=around == "bias")
    multiply_vector(
        x,
        weights,  # type: ignore[arg-type]
        tiling,
        {
            "bias": Around(norm, 1e-6),
            "gate": Around(norm, 1e-6, gate=True),
            "residual": Around(residual=outputs),
            "logits": Around(norm, 1e-6, dtype=torch.float32),
        }[around],
    )


def attention(dtype: torch.dtype, shape: Architecture, width: int, blocks: int, limits: Limits) -> None:
    """Launch the kernels of attention for two rows."""
    positions = torch.empty(2 * width, device=META, dtype=torch.int64)
    tables = torch.empty(2, blocks, device=META, dtype=torch.int64)
    inputs = GridInputs(positions, positions, positions, positions, tables)
    queries = torch.empty(2 * width, shape.heads, shape.head_dim, device=META, dtype=dtype)
    stored = torch.empty(1024, 2, shape.kv_heads, shape.head_dim, device=META, dtype=dtype)
    attend = SplitAttention(shape, inputs, dtype, 108, limits)
    attend(queries, stored)
    sizes = attend._queries, attend._keys, attend._padded
    BOUNDS[sizes] = attend_shared_bytes(*sizes, dtype.itemsize)


def rotation(dtype: torch.dtype, shape: Architecture) -> None:
    """Launch the kernel that turns heads and stores keys and values."""
    qkv = torch.empty(4, (shape.heads + 2 * shape.kv_heads) * shape.head_dim, device=META, dtype=dtype)
    rope = torch.empty(4, shape.head_dim, device=META)
    stored = torch.empty(1024, 2, shape.kv_heads, shape.head_dim, device=META, dtype=dtype)
    rotate_and_store(shape, qkv, rope, torch.empty(4, device=META, dtype=torch.int64), stored)


def launch_largest(limits: Limits) -> None:
    """The kernels that take the most resources, one for each format."""
    number = torch.bfloat16
    tile(number, 16, 16, TILE_TILINGS[1], around="bias", limits=limits)
    tile(number, 8, 64, TILE_TILINGS[0], around="residual", limits=limits)
    tile(number, 4, 64, INT4_TILINGS[0], around="residual", limits=limits)
    vector(number, 8, VECTOR_TILINGS[0], "gate")
    vector(number, 16, VECTOR_TILINGS[2], "logits")
    attention(number, SHAPES[2], 16, 64, limits)
    rotation(number, SHAPES[2])
    gate(torch.empty(4, 8960, device=META, dtype=number))


def launch_all(limits: Limits) -> None:
    """Every kernel with each tiling and number format that can be chosen."""
    for number in (torch.bfloat16, torch.float16):
        for bits, tokens, around in itertools.product(
            (16, 8, 4), (16, 32, 64), ("none", "bias", "residual", "logits")
        ):
            if bits < 16 or tokens == 16:  # more tokens of dense weights are left to the library
                for tiling in tile_tilings(matrix(bits, number, 64, 128)):
                    tile(number, bits, tokens, tiling, around=around, limits=limits)
        for shape, width, blocks in itertools.product(SHAPES, (1, 2, 4, 16), (8, 64)):
            attention(number, shape, width, blocks, limits)
    for number in (torch.bfloat16, torch.float16, torch.float32):
        for bits, tiling, around in itertools.product(
            (16, 8), VECTOR_TILINGS, ("bias", "gate", "residual", "logits")
        ):
            vector(number, bits, tiling, around)
        for shape in SHAPES:
            rotation(number, shape)
        gate(torch.empty(4, 8960, device=META, dtype=number))


def launch_too_large(_limits: Limits) -> None:
    """A tiling that no chooser would try, in float32."""
    x = torch.empty(16, 1536, device=META)
    multiply_tile(x, matrix(16, torch.float32, 2048, 1536), TILE_TILINGS[1])


def fits(kernel: Compiled, limits: Limits) -> bool:
    """Whether the chip can run the kernel, and the kernel is no larger than the chooser believes."""
    constants = kernel.constants.get
    tile_key = tuple(map(constants, ("bits", "padded", "rows", "columns")))
    attend_key = tuple(map(constants, ("query_count", "key_count", "padded")))
    bound = BOUNDS.get(tile_key, BOUNDS.get(attend_key, limits.shared_bytes))
    return (
        kernel.shared_bytes <= min(bound, limits.shared_bytes)
        and kernel.registers <= MOST_REGISTERS_OF_THREAD
        and kernel.registers * kernel.threads <= limits.registers
        and kernel.spilled_bytes <= MOST_SPILLED_BYTES
    )


def main() -> None:
    """Compile, and print a line for each kernel."""
    major, minor = sys.argv[1].split(".")
    capability = int(major), int(minor)
    limits = LIMITS[capability]
    launch = {"--all": launch_all, "--too-large": launch_too_large}.get(
        " ".join(sys.argv[2:]), launch_largest
    )
    with tempfile.TemporaryDirectory() as cache:
        os.environ["TRITON_CACHE_DIR"] = cache
        with compiling_for(capability) as compiled:
            launch(limits)
    for one in compiled:
        verdict = "ok" if fits(one, limits) else "TOO LARGE"
        sys.stdout.write(
            f"sm_{major}{minor} {one.name} {one.shared_bytes} bytes of shared memory, "
            f"{one.registers} registers, {one.spilled_bytes} bytes spilled: {verdict}\n"
        )


if __name__ == "__main__":
    main()
