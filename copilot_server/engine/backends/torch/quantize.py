"""Weights in 8 or 4 bits: half or a third of the bytes that a step reads, and that a card must hold.

Only matrices are quantized; activations, norms, biases and the embedding stay as they are. Each matrix is
quantized on the device as it is loaded, so that the whole model is never in memory in 16 bits.
"""

from __future__ import annotations

import torch

from copilot_server.engine.backends.torch.matrix import DenseMatrix, Int4Matrix, Int8Matrix, QuantizedMatrix

#: Inputs that share a scale and an offset in 4 bits.
GROUP = 64

#: By how much the range of a group may be narrowed: what lies outside is clipped, and what
#: lies inside, which is nearly everything, is rounded more finely.
SHRINKS = tuple(1.0 - step / 40 for step in range(13))


def to_int8(matrix: DenseMatrix) -> Int8Matrix:
    """Round each output row to multiples of a 127th of its largest weight."""
    weight = matrix.weight.float()
    scales = weight.abs().amax(dim=1).clamp(min=1e-12) / 127
    values = (weight / scales[:, None]).round_().to(torch.int8)
    return Int8Matrix(values, scales, matrix.bias)


def to_int4(matrix: DenseMatrix) -> QuantizedMatrix:
    """Round each group of inputs to 16 levels, spaced so that the squared error is least.

    A matrix whose inputs do not divide into groups, equally many in each half, is kept in 8 bits.
    """
    if matrix.inputs % (2 * GROUP):
        return to_int8(matrix)
    groups = matrix.weight.view(matrix.outputs, -1, GROUP)  # (outputs, groups, GROUP)
    scales, offsets = _best_ranges(groups)
    values = _levels(groups.float(), scales.float(), offsets.float()).to(torch.uint8).flatten(1)
    first, second = values.chunk(2, dim=1)
    packed = first | second << 4
    return Int4Matrix(packed, scales.squeeze(-1), offsets.squeeze(-1), matrix.bias)


def _best_ranges(groups: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Scale and offset of each group, (outputs, groups, 1), in the dtype of the weights.

    They are rounded to that dtype before the error is taken, since that is what they will be.
    """
    weight = groups.float()
    low, high = weight.aminmax(dim=-1, keepdim=True)
    best = torch.full_like(low, torch.inf)
    scales, offsets = torch.empty_like(low), torch.empty_like(low)
    for shrink in SHRINKS:
        scale = (shrink * (high - low) / 15).clamp(min=1e-12).to(groups.dtype).float()
        offset = ((low + high - 15 * scale) / 2).to(groups.dtype).float()
        error = (_levels(weight, scale, offset) * scale + offset - weight).square().sum(dim=-1, keepdim=True)
        better = error < best
        best = torch.where(better, error, best)
        scales, offsets = torch.where(better, scale, scales), torch.where(better, offset, offsets)
    return scales.to(groups.dtype), offsets.to(groups.dtype)


def _levels(weight: torch.Tensor, scale: torch.Tensor, offset: torch.Tensor) -> torch.Tensor:
    """The nearest of the 16 levels to each weight."""
    return ((weight - offset) / scale).round_().clamp_(0, 15)
