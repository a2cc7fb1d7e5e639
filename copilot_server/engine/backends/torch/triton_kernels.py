"""The faster twin of ``kernels`` for CUDA devices: fewer launches, and weights read once in any format."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch

from copilot_server.engine.backends.torch.inputs import GridInputs
from copilot_server.engine.backends.torch.kernels import Attention, Kernels
from copilot_server.engine.backends.torch.matrix import DenseMatrix, Int4Matrix, Int8Matrix, Matrix
from copilot_server.engine.backends.torch.triton_attention import SplitAttention, rotate_and_store
from copilot_server.engine.backends.torch.triton_matrix import (
    INT4_TILINGS,
    MOST_TOKENS,
    MOST_TOKENS_DENSE,
    TILE_TILINGS,
    VECTOR_TILINGS,
    Around,
    gate,
    multiply_tile,
    multiply_vector,
)
from copilot_server.engine.backends.torch.tuning import Tuner
from copilot_server.engine.models.architecture import Architecture

#: Processors to plan for where there is no GPU, as in Triton's interpreter.
NO_GPU_PROCESSORS = 8


class TritonKernels(Kernels):
    """Makes each product of few tokens in the way that was measured fastest for its shape."""

    def __init__(self, architecture: Architecture, device: torch.device) -> None:
        super().__init__(architecture)
        self.tuner = Tuner(device)
        self._processors = NO_GPU_PROCESSORS
        if device.type == "cuda":
            self._processors = torch.cuda.get_device_properties(device).multi_processor_count

    def norm_multiply(self, x: torch.Tensor, norm: torch.Tensor, matrix: Matrix) -> torch.Tensor:
        """See ``Kernels.norm_multiply``."""
        ways = _vector_ways(x, matrix, Around(norm, self._a.rms_eps))
        ways.append(lambda: self._multiply(self.norm(x, norm), matrix))
        return self.tuner.run(("norm_multiply", *_key(x, matrix)), ways)

    def norm_gate(self, x: torch.Tensor, norm: torch.Tensor, gate_up: Matrix) -> torch.Tensor:
        """See ``Kernels.norm_gate``."""
        ways = _vector_ways(x, gate_up, Around(norm, self._a.rms_eps, gate=True))
        ways.append(lambda: gate(self._multiply(self.norm(x, norm), gate_up)))
        return self.tuner.run(("norm_gate", *_key(x, gate_up)), ways)

    def multiply_add(self, x: torch.Tensor, matrix: Matrix, residual: torch.Tensor) -> torch.Tensor:
        """See ``Kernels.multiply_add``."""
        ways = _vector_ways(x, matrix, Around(residual=residual)) or _tile_ways(x, matrix, residual)
        if isinstance(matrix, DenseMatrix) and matrix.bias is None:
            ways.append(lambda: torch.addmm(residual, x, matrix.weight.T))
        elif not ways:
            ways.append(lambda: residual + matrix.multiply(x))
        return self.tuner.run(("multiply_add", *_key(x, matrix)), ways)

    def _multiply(self, x: torch.Tensor, matrix: Matrix) -> torch.Tensor:
        ways = _tile_ways(x, matrix)
        if isinstance(matrix, DenseMatrix) or not ways:
            ways.append(lambda: matrix.multiply(x))
        return self.tuner.run(("multiply", *_key(x, matrix)), ways)

    def rotate_and_store(
        self, qkv: torch.Tensor, rope: torch.Tensor, store_at: torch.Tensor, stored: torch.Tensor
    ) -> torch.Tensor:
        """See ``Kernels.rotate_and_store``."""
        return rotate_and_store(self._a, qkv, rope, store_at, stored)

    def grid_attention(self, inputs: GridInputs, dtype: torch.dtype) -> Attention:  # noqa: ARG002 - see Kernels
        """See ``Kernels.grid_attention``."""
        return SplitAttention(self._a, inputs, self._processors)


Ways = list[Callable[[], torch.Tensor]]


def _vector_ways(x: torch.Tensor, matrix: Matrix, around: Around) -> Ways:
    """Every tiling of the kernel for one token, where it can be used."""
    if len(x) != 1 or not isinstance(matrix, DenseMatrix | Int8Matrix):
        return []
    return [partial(multiply_vector, x, matrix, tiling, around) for tiling in VECTOR_TILINGS]


def _tile_ways(x: torch.Tensor, matrix: Matrix, residual: torch.Tensor | None = None) -> Ways:
    """Every tiling of the kernel for some tokens, where it can be used and may be fastest."""
    if not isinstance(matrix, DenseMatrix | Int8Matrix | Int4Matrix):
        return []
    if len(x) > (MOST_TOKENS_DENSE if isinstance(matrix, DenseMatrix) else MOST_TOKENS):
        return []
    tilings = INT4_TILINGS if isinstance(matrix, Int4Matrix) else TILE_TILINGS
    return [partial(multiply_tile, x, matrix, tiling, residual=residual) for tiling in tilings]


def _key(x: torch.Tensor, matrix: Matrix) -> tuple[object, ...]:
    """What the time of a product depends on."""
    return (type(matrix).__name__, matrix.outputs, matrix.inputs, (len(x) - 1).bit_length())
