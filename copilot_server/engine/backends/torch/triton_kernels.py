"""The operations of ``kernels`` for CUDA devices: fewer launches, and weights read once in any format."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
from triton.runtime.errors import OutOfResources

from copilot_server.engine.backends.torch.inputs import GridInputs
from copilot_server.engine.backends.torch.kernels import Attention, Kernels
from copilot_server.engine.backends.torch.limits import limits_of
from copilot_server.engine.backends.torch.matrix import (
    DenseMatrix,
    Int4Matrix,
    Int8Matrix,
    Matrix,
    multiply_to_float32,
)
from copilot_server.engine.backends.torch.triton_attention import SplitAttention, rotate_and_store
from copilot_server.engine.backends.torch.triton_matrix import (
    MOST_TOKENS,
    MOST_TOKENS_DENSE,
    VECTOR_TILINGS,
    Around,
    gate,
    multiply_tile,
    multiply_vector,
    tile_shared_bytes,
    tile_tilings,
)
from copilot_server.engine.backends.torch.tuning import Tuner
from copilot_server.engine.models.architecture import Architecture

#: Processors to plan for where there is no GPU, as in Triton's interpreter.
NO_GPU_PROCESSORS = 8


class TritonKernels(Kernels):
    """Computes each product of few tokens in the way that was measured fastest for its shape.

    ``tunings``: the file that remembers what was measured; None measures again at each start.
    """

    is_plain = False

    def __init__(self, architecture: Architecture, device: torch.device, tunings: Path | None = None) -> None:
        super().__init__(architecture)
        self.tuner = Tuner(device, tunings, unfit=(OutOfResources,))
        self._limits = limits_of(device)
        self._is_compiled = device.type != "cpu"  # Triton's interpreter has no limits
        self._processors = NO_GPU_PROCESSORS
        if device.type == "cuda":
            self._processors = torch.cuda.get_device_properties(device).multi_processor_count

    def logits(self, x: torch.Tensor, norm: torch.Tensor, head: Matrix) -> torch.Tensor:
        """See ``Kernels.logits``."""
        ways = self._vector_ways(x, head, Around(norm, self._a.rms_eps, dtype=torch.float32))
        ways += self._tile_ways(self.norm(x, norm), head, dtype=torch.float32)
        ways.append(lambda: multiply_to_float32(self.norm(x, norm), head))
        return self.tuner.run(("logits", *_key(x, head)), ways)

    def norm_multiply(self, x: torch.Tensor, norm: torch.Tensor, matrix: Matrix) -> torch.Tensor:
        """See ``Kernels.norm_multiply``."""
        ways = self._vector_ways(x, matrix, Around(norm, self._a.rms_eps))
        ways.append(lambda: self._multiply(self.norm(x, norm), matrix))
        return self.tuner.run(("norm_multiply", *_key(x, matrix)), ways)

    def norm_gate(self, x: torch.Tensor, norm: torch.Tensor, gate_up: Matrix) -> torch.Tensor:
        """See ``Kernels.norm_gate``."""
        ways = self._vector_ways(x, gate_up, Around(norm, self._a.rms_eps, gate=True))
        ways.append(lambda: gate(self._multiply(self.norm(x, norm), gate_up)))
        return self.tuner.run(("norm_gate", *_key(x, gate_up)), ways)

    def multiply_add(self, x: torch.Tensor, matrix: Matrix, residual: torch.Tensor) -> torch.Tensor:
        """See ``Kernels.multiply_add``."""
        ways = self._vector_ways(x, matrix, Around(residual=residual))
        ways = ways or self._tile_ways(x, matrix, residual)
        if isinstance(matrix, DenseMatrix) and matrix.bias is None:
            ways.append(lambda: torch.addmm(residual, x, matrix.weight.T))
        elif not ways:
            ways.append(lambda: residual + matrix.multiply(x))
        return self.tuner.run(("multiply_add", *_key(x, matrix)), ways)

    def _multiply(self, x: torch.Tensor, matrix: Matrix) -> torch.Tensor:
        ways = self._tile_ways(x, matrix)
        if isinstance(matrix, DenseMatrix) or not ways:
            ways.append(lambda: matrix.multiply(x))
        return self.tuner.run(("multiply", *_key(x, matrix)), ways)

    def rotate_and_store(
        self, qkv: torch.Tensor, rope: torch.Tensor, store_at: torch.Tensor, stored: torch.Tensor
    ) -> torch.Tensor:
        """See ``Kernels.rotate_and_store``."""
        return rotate_and_store(self._a, qkv, rope, store_at, stored)

    def grid_attention(self, inputs: GridInputs, dtype: torch.dtype) -> Attention:
        """See ``Kernels.grid_attention``."""
        if self._is_left_to_libraries(dtype):
            return super().grid_attention(inputs, dtype)
        return SplitAttention(self._a, inputs, dtype, self._processors, self._limits)

    def _is_left_to_libraries(self, dtype: torch.dtype) -> bool:
        """Whether tensor cores would compute less exactly than the dtype.

        Without them, kernels on tiles of float32 spill kilobytes of registers, and some want more shared
        memory than a chip has.
        """
        return dtype == torch.float32 and self._is_compiled

    def _vector_ways(self, x: torch.Tensor, matrix: Matrix, around: Around) -> Ways:
        """Every tiling of the kernel for one token, if the kernel can be used."""
        if len(x) != 1 or not isinstance(matrix, DenseMatrix | Int8Matrix):
            return []
        return [partial(multiply_vector, x, matrix, tiling, around) for tiling in VECTOR_TILINGS]

    def _tile_ways(
        self,
        x: torch.Tensor,
        matrix: Matrix,
        residual: torch.Tensor | None = None,
        dtype: torch.dtype | None = None,
    ) -> Ways:
        """Every tiling of the kernel for some tokens that fits the device, if it may be the fastest."""
        if not isinstance(matrix, DenseMatrix | Int8Matrix | Int4Matrix):
            return []
        if self._is_left_to_libraries(x.dtype):
            return []
        if len(x) > (MOST_TOKENS_DENSE if isinstance(matrix, DenseMatrix) else MOST_TOKENS):
            return []
        return [
            partial(multiply_tile, x, matrix, tiling, residual=residual, dtype=dtype)
            for tiling in tile_tilings(matrix)
            if tile_shared_bytes(x, matrix, tiling) <= self._limits.shared_bytes
        ]


Ways = list[Callable[[], torch.Tensor]]


def _key(x: torch.Tensor, matrix: Matrix) -> tuple[object, ...]:
    """What the time of a product depends on: format, shape, and tokens up to the next power of two."""
    return (type(matrix).__name__, matrix.outputs, matrix.inputs, (len(x) - 1).bit_length())
