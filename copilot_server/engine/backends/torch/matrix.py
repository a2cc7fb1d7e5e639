"""A layer's matrices, in each number format that they can be stored in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from torch.nn import functional

#: Output rows of a quantized matrix that are made dense at a time, to multiply many tokens: 8192 of them
#: are 60 MB of a 7B model.
DENSE_ROWS = 8192


class Matrix(Protocol):
    """A linear map from ``inputs`` to ``outputs``."""

    @property
    def outputs(self) -> int:
        """Rows of the matrix."""
        ...

    @property
    def inputs(self) -> int:
        """Columns of the matrix."""
        ...

    @property
    def nbytes(self) -> int:
        """Bytes that one multiplication reads."""
        ...

    def multiply(self, x: torch.Tensor) -> torch.Tensor:
        """(tokens, inputs) to (tokens, outputs), in the dtype of ``x``."""
        ...


@dataclass(frozen=True, slots=True)
class DenseMatrix:
    """A matrix in the dtype of the computation."""

    weight: torch.Tensor  # (outputs, inputs)
    bias: torch.Tensor | None = None  # (outputs,)

    @property
    def outputs(self) -> int:
        """Rows of the matrix."""
        return self.weight.shape[0]

    @property
    def inputs(self) -> int:
        """Columns of the matrix."""
        return self.weight.shape[1]

    @property
    def nbytes(self) -> int:
        """Bytes that one multiplication reads."""
        return self.weight.nbytes + (0 if self.bias is None else self.bias.nbytes)

    def multiply(self, x: torch.Tensor) -> torch.Tensor:
        """(tokens, inputs) to (tokens, outputs)."""
        return functional.linear(x, self.weight, self.bias)


@dataclass(frozen=True, slots=True)
class Int8Matrix:
    """Integers from -127 to 127, and one scale for each output row."""

    values: torch.Tensor  # (outputs, inputs), int8
    scales: torch.Tensor  # (outputs,), float32
    bias: torch.Tensor | None = None  # (outputs,)

    @property
    def outputs(self) -> int:
        """Rows of the matrix."""
        return self.values.shape[0]

    @property
    def inputs(self) -> int:
        """Columns of the matrix."""
        return self.values.shape[1]

    @property
    def nbytes(self) -> int:
        """Bytes that one multiplication reads."""
        return self.values.nbytes + self.scales.nbytes + (0 if self.bias is None else self.bias.nbytes)

    def dense(self, start: int, end: int, dtype: torch.dtype) -> torch.Tensor:
        """Output rows from ``start`` to ``end``."""
        return (self.values[start:end] * self.scales[start:end, None]).to(dtype)

    def multiply(self, x: torch.Tensor) -> torch.Tensor:
        """(tokens, inputs) to (tokens, outputs)."""
        return _multiply_in_parts(self, x)


@dataclass(frozen=True, slots=True)
class Int4Matrix:
    """Integers from 0 to 15, with a scale and an offset for each group of an output row's inputs.

    A byte of ``packed`` holds an input of the row's first half in its lower four bits, and the corresponding
    input of the second half in its upper four; a weight is ``value * scale + offset``.
    """

    packed: torch.Tensor  # (outputs, inputs / 2), uint8
    scales: torch.Tensor  # (outputs, groups)
    offsets: torch.Tensor  # (outputs, groups)
    bias: torch.Tensor | None = None  # (outputs,)

    @property
    def outputs(self) -> int:
        """Rows of the matrix."""
        return self.packed.shape[0]

    @property
    def inputs(self) -> int:
        """Columns of the matrix."""
        return 2 * self.packed.shape[1]

    @property
    def group(self) -> int:
        """Inputs that share a scale."""
        return self.inputs // self.scales.shape[1]

    @property
    def nbytes(self) -> int:
        """Bytes that one multiplication reads."""
        parts = (self.packed, self.scales, self.offsets, self.bias)
        return sum(part.nbytes for part in parts if part is not None)

    def dense(self, start: int, end: int, dtype: torch.dtype) -> torch.Tensor:
        """Output rows from ``start`` to ``end``."""
        packed = self.packed[start:end]
        values = torch.cat([packed & 15, packed >> 4], dim=1).view(len(packed), -1, self.group)
        scales, offsets = self.scales[start:end, :, None].float(), self.offsets[start:end, :, None].float()
        return (values * scales + offsets).flatten(1).to(dtype)

    def multiply(self, x: torch.Tensor) -> torch.Tensor:
        """(tokens, inputs) to (tokens, outputs)."""
        return _multiply_in_parts(self, x)


#: A matrix whose ``dense`` gives the weights that its numbers stand for.
QuantizedMatrix = Int8Matrix | Int4Matrix


def multiply_to_float32(x: torch.Tensor, matrix: Matrix) -> torch.Tensor:
    """(tokens, inputs) to (tokens, outputs) in float32, without rounding the products to the dtype of ``x``.

    A logit near 32 has neighbours 1/8 apart in bfloat16, which is too coarse for log-probabilities.
    """
    if x.dtype == torch.float32:
        return matrix.multiply(x)
    if not isinstance(matrix, DenseMatrix):
        return matrix.multiply(x.float())
    if x.device.type == "cuda":
        product = torch.mm(x, matrix.weight.T, out_dtype=torch.float32)
    else:
        parts = torch.split(matrix.weight, DENSE_ROWS)
        product = torch.cat([functional.linear(x.float(), part.float()) for part in parts], dim=-1)
    return product if matrix.bias is None else product + matrix.bias


def _multiply_in_parts(matrix: Int8Matrix | Int4Matrix, x: torch.Tensor) -> torch.Tensor:
    """Make some output rows dense at a time, so that the whole matrix never is."""
    starts = range(0, matrix.outputs, DENSE_ROWS)
    parts = [functional.linear(x, matrix.dense(start, start + DENSE_ROWS, x.dtype)) for start in starts]
    product = parts[0] if len(parts) == 1 else torch.cat(parts, dim=-1)
    return product if matrix.bias is None else product + matrix.bias
