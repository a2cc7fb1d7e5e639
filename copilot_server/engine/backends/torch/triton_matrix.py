"""Triton kernels that multiply few tokens by a matrix, about as fast as memory delivers its weights.

``_vector_kernel`` takes one token and a dense or int8 matrix; the operations before and after the product
are fused into it, since at this size starting a kernel costs as much as running it. ``_tile_kernel``
takes up to ``MOST_TOKENS`` tokens and any format, on the tensor cores.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

import torch
import triton
import triton.language as tl

from copilot_server.engine.backends.torch.limits import BARRIER_BYTES
from copilot_server.engine.backends.torch.matrix import DenseMatrix, Int4Matrix, Int8Matrix

Jit = Callable[[Callable[..., Any]], Any]

_jit: Jit = triton.jit


def _jit_once_for(*numbers: str) -> Jit:
    """Compile once for all values of these arguments, which change from step to step."""
    return cast("Jit", triton.jit(do_not_specialize=numbers))


AnyMatrix = DenseMatrix | Int8Matrix | Int4Matrix

#: The number of tokens above which the library's product is faster: with dense weights, and with quantized
#: ones, which have to be made dense for it.
MOST_TOKENS_DENSE, MOST_TOKENS = 16, 64


@dataclass(frozen=True, slots=True)
class Tiling:
    """How a kernel divides its work: outputs per program, inputs read at a time, and warps per program."""

    outputs: int
    inputs: int
    warps: int


#: The first of each is used where nothing can be measured.
VECTOR_TILINGS = (Tiling(8, 512, 4), Tiling(4, 1024, 4), Tiling(2, 2048, 4))
TILE_TILINGS = (Tiling(16, 256, 4), Tiling(64, 128, 4))
INT4_TILINGS = (Tiling(16, 128, 4), Tiling(64, 64, 4))


@_jit
def _vector_kernel(  # noqa: PLR0913, PLR0917
    x: tl.tensor,  # (inputs,)
    weight: tl.tensor,  # (outputs, inputs), or (2 * outputs, inputs) with a gate
    scales: tl.tensor,  # as many as rows of weight
    bias: tl.tensor,
    norm: tl.tensor,  # (inputs,)
    residual: tl.tensor,  # (outputs,)
    out: tl.tensor,  # (outputs,)
    outputs: tl.tensor,
    inputs: tl.tensor,
    eps: tl.tensor,
    has_scales: tl.constexpr,
    has_bias: tl.constexpr,
    has_norm: tl.constexpr,
    has_gate: tl.constexpr,
    has_residual: tl.constexpr,
    rows: tl.constexpr,
    columns: tl.constexpr,
) -> None:
    """RMSNorm, product, and bias, SwiGLU or residual, as the flags say."""
    row = (tl.program_id(0) * rows + tl.arange(0, rows)).to(tl.int64)
    present = row < outputs
    sums = tl.zeros((rows, columns), tl.float32)
    up_sums = tl.zeros((rows, columns), tl.float32)
    squares = tl.zeros((columns,), tl.float32)
    for start in range(0, inputs, columns):
        column = start + tl.arange(0, columns)
        inside = column < inputs
        values = tl.load(x + column, mask=inside, other=0.0).to(tl.float32)
        if has_norm:
            squares += values * values
            values *= tl.load(norm + column, mask=inside, other=0.0).to(tl.float32)
        pointers = weight + row[:, None] * inputs + column[None, :]
        mask = present[:, None] & inside[None, :]
        weights = tl.load(pointers, mask=mask, other=0.0, eviction_policy="evict_first")
        sums += weights.to(tl.float32) * values[None, :]
        if has_gate:
            pointers = weight + (row + outputs)[:, None] * inputs + column[None, :]
            weights = tl.load(pointers, mask=mask, other=0.0, eviction_policy="evict_first")
            up_sums += weights.to(tl.float32) * values[None, :]
    total = tl.sum(sums, axis=1)
    up = tl.sum(up_sums, axis=1)
    if has_scales:
        total *= tl.load(scales + row, mask=present, other=0.0)
        if has_gate:
            up *= tl.load(scales + outputs + row, mask=present, other=0.0)
    if has_norm:
        inverse = tl.rsqrt(tl.sum(squares, axis=0) / inputs + eps)
        total *= inverse
        up *= inverse
    if has_bias:
        total += tl.load(bias + row, mask=present, other=0.0).to(tl.float32)
    if has_gate:
        total = total * tl.sigmoid(total) * up
    if has_residual:
        total += tl.load(residual + row, mask=present, other=0.0).to(tl.float32)
    tl.store(out + row, total.to(out.dtype.element_ty), mask=present)


@_jit_once_for("tokens")
def _tile_kernel(  # noqa: PLR0913, PLR0917
    x: tl.tensor,  # (tokens, inputs)
    weight: tl.tensor,  # (outputs, inputs), or (outputs, inputs / 2) in 4 bits
    scales: tl.tensor,  # (outputs,), or (outputs, inputs / group) in 4 bits
    offsets: tl.tensor,  # (outputs, inputs / group) in 4 bits
    bias: tl.tensor,
    residual: tl.tensor,  # (tokens, outputs)
    out: tl.tensor,  # (tokens, outputs)
    tokens: tl.tensor,
    outputs: tl.tensor,
    inputs: tl.tensor,
    bits: tl.constexpr,
    group: tl.constexpr,
    has_bias: tl.constexpr,
    has_residual: tl.constexpr,
    padded: tl.constexpr,
    rows: tl.constexpr,
    columns: tl.constexpr,
) -> None:
    """All tokens, padded to ``padded``, times ``rows`` outputs; ``columns`` inputs at a time."""
    token = tl.arange(0, padded)
    row = (tl.program_id(0) * rows + tl.arange(0, rows)).to(tl.int64)
    present = row < outputs
    sums = tl.zeros((padded, rows), tl.float32)
    stored = inputs // 2 if bits == 4 else inputs
    for start in range(0, stored, columns):
        column = start + tl.arange(0, columns)
        inside = column < stored
        x_mask = (token < tokens)[:, None] & inside[None, :]
        x_pointers = x + token[:, None] * inputs + column[None, :]
        values = tl.load(x_pointers, mask=x_mask, other=0.0)
        mask = present[:, None] & inside[None, :]
        weights = tl.load(weight + row[:, None] * stored + column[None, :], mask=mask, other=0)
        if bits == 4:
            # The lower halves of a row's bytes are its first inputs, the upper halves its last.
            groups = inputs // group
            spans = start // group + tl.arange(0, columns // group)
            indices = row[:, None] * groups + spans[None, :]
            mask = present[:, None] & (spans < groups // 2)[None, :]
            lower = _from_levels(weights & 15, scales, offsets, indices, mask, rows, columns, group)
            sums = tl.dot(values, tl.trans(lower.to(values.dtype)), sums, input_precision="ieee")
            indices += groups // 2
            weights = _from_levels(weights >> 4, scales, offsets, indices, mask, rows, columns, group)
            values = tl.load(x_pointers + stored, mask=x_mask, other=0.0)
        sums = tl.dot(values, tl.trans(weights.to(values.dtype)), sums, input_precision="ieee")
    if bits == 8:
        sums *= tl.load(scales + row, mask=present, other=0.0)[None, :]
    if has_bias:
        sums += tl.load(bias + row, mask=present, other=0.0).to(tl.float32)[None, :]
    indices = token[:, None] * outputs + row[None, :]
    mask = (token < tokens)[:, None] & present[None, :]
    if has_residual:
        sums += tl.load(residual + indices, mask=mask, other=0.0).to(tl.float32)
    tl.store(out + indices, sums.to(out.dtype.element_ty), mask=mask)


@_jit
def _from_levels(  # noqa: PLR0913, PLR0917
    levels: tl.tensor,  # (rows, columns)
    scales: tl.tensor,
    offsets: tl.tensor,
    indices: tl.tensor,  # (rows, columns / group): indices of each group's scale and offset
    mask: tl.tensor,
    rows: tl.constexpr,
    columns: tl.constexpr,
    group: tl.constexpr,
) -> tl.tensor:
    """Weights from 4-bit levels, (rows, columns)."""
    scale = tl.load(scales + indices, mask=mask, other=0.0).to(tl.float32)[:, :, None]
    offset = tl.load(offsets + indices, mask=mask, other=0.0).to(tl.float32)[:, :, None]
    grouped = tl.reshape(levels, (rows, columns // group, group)).to(tl.float32)
    return tl.reshape(grouped * scale + offset, (rows, columns))


@_jit
def _gate_kernel(both: tl.tensor, out: tl.tensor, size: tl.tensor, columns: tl.constexpr) -> None:
    """SwiGLU of one token's (2 * size,): its first half gates its second."""
    token = tl.program_id(0).to(tl.int64)
    column = tl.program_id(1) * columns + tl.arange(0, columns)
    inside = column < size
    gate = tl.load(both + token * 2 * size + column, mask=inside, other=0.0).to(tl.float32)
    up = tl.load(both + token * 2 * size + size + column, mask=inside, other=0.0).to(tl.float32)
    tl.store(
        out + token * size + column, (gate * tl.sigmoid(gate) * up).to(out.dtype.element_ty), mask=inside
    )


@dataclass(frozen=True, slots=True)
class Around:
    """What is computed together with the product of one token.

    Before it RMSNorm with the weights ``norm``; after it SwiGLU, if ``gate``, and adding ``residual``. The
    result is of ``dtype``; None takes that of the token.
    """

    norm: torch.Tensor | None = None
    eps: float = 0.0
    gate: bool = False
    residual: torch.Tensor | None = None
    dtype: torch.dtype | None = None


def multiply_vector(
    x: torch.Tensor, matrix: DenseMatrix | Int8Matrix, tiling: Tiling, around: Around
) -> torch.Tensor:
    """Multiply one token, (1, inputs), by the matrix, with the operations ``around`` that."""
    outputs = matrix.outputs // 2 if around.gate else matrix.outputs
    out = torch.empty(1, outputs, device=x.device, dtype=around.dtype or x.dtype)
    _vector_kernel[(triton.cdiv(outputs, tiling.outputs),)](
        x,
        matrix.weight if isinstance(matrix, DenseMatrix) else matrix.values,
        x if isinstance(matrix, DenseMatrix) else matrix.scales,
        x if matrix.bias is None else matrix.bias,
        x if around.norm is None else around.norm,
        x if around.residual is None else around.residual,
        out,
        outputs,
        matrix.inputs,
        around.eps,
        has_scales=isinstance(matrix, Int8Matrix),
        has_bias=matrix.bias is not None,
        has_norm=around.norm is not None,
        has_gate=around.gate,
        has_residual=around.residual is not None,
        rows=tiling.outputs,
        columns=tiling.inputs,
        num_warps=tiling.warps,
    )
    return out


def multiply_tile(
    x: torch.Tensor,
    matrix: AnyMatrix,
    tiling: Tiling,
    *,
    residual: torch.Tensor | None = None,
    dtype: torch.dtype | None = None,
) -> torch.Tensor:
    """Multiply up to ``MOST_TOKENS`` tokens, (tokens, inputs), by the matrix, and add ``residual`` if given.

    The result is of ``dtype``; None takes that of the tokens.
    """
    tokens = x.shape[0]
    out = torch.empty(tokens, matrix.outputs, device=x.device, dtype=dtype or x.dtype)
    weight, scales, offsets, bits, group = _parts(matrix, x)
    bias = matrix.bias
    _tile_kernel[(triton.cdiv(matrix.outputs, tiling.outputs),)](
        x,
        weight,
        scales,
        offsets,
        x if bias is None else bias,
        x if residual is None else residual,
        out,
        tokens,
        matrix.outputs,
        matrix.inputs,
        bits=bits,
        group=group,
        has_bias=bias is not None,
        has_residual=residual is not None,
        padded=_padded(tokens),
        rows=tiling.outputs,
        columns=tiling.inputs,
        num_warps=tiling.warps,
        num_stages=_stages(tokens),
    )
    return out


def tile_tilings(matrix: AnyMatrix) -> tuple[Tiling, ...]:
    """The tilings of ``multiply_tile`` that may be the fastest for a matrix of this format."""
    return INT4_TILINGS if isinstance(matrix, Int4Matrix) else TILE_TILINGS


def tile_shared_bytes(x: torch.Tensor, matrix: AnyMatrix, tiling: Tiling) -> int:
    """An upper bound of the shared memory that ``multiply_tile`` takes for the tokens ``x``.

    That is the stages of tokens and weights that are loaded in advance, and the result while it is converted
    to its layout in memory. 4-bit weights need two tiles of tokens, one for the lower halves of their bytes
    and one for the upper.
    """
    token_bytes = _padded(x.shape[0]) * tiling.inputs * x.element_size()
    if isinstance(matrix, Int4Matrix):
        token_bytes *= 2
    weight_bytes = tiling.outputs * tiling.inputs * _parts(matrix, x)[0].element_size()
    result_bytes = 4 * _padded(x.shape[0]) * tiling.outputs
    return _stages(x.shape[0]) * (token_bytes + weight_bytes) + result_bytes + BARRIER_BYTES


def _padded(tokens: int) -> int:
    """The tokens of a tile, padding included: tensor cores take no fewer than 16."""
    return max(16, int(triton.next_power_of_2(tokens)))


def _stages(tokens: int) -> int:
    """How many loads of the inner loop are in flight at once."""
    return 4 if tokens <= 16 else 2


def gate(both: torch.Tensor) -> torch.Tensor:
    """SwiGLU of (tokens, 2 * size): the first half gates the second."""
    tokens, size = both.shape[0], both.shape[1] // 2
    out = torch.empty(tokens, size, device=both.device, dtype=both.dtype)
    _gate_kernel[(tokens, triton.cdiv(size, 1024))](both, out, size, columns=1024)
    return out


def _parts(
    matrix: AnyMatrix, unused: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, int, int]:
    """Weights, scales, offsets, bits and group; ``unused`` stands for what a format does not have."""
    if isinstance(matrix, Int8Matrix):
        return matrix.values, matrix.scales, unused, 8, 1
    if isinstance(matrix, Int4Matrix):
        return matrix.packed, matrix.scales, matrix.offsets, 4, matrix.group
    return matrix.weight, unused, unused, 16, 1
