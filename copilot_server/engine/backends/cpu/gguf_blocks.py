"""The blocks of GGUF's number formats, put in the order in which the kernels read them (kernels/codes.h).

No weight is rounded: the codes and scales are the file's own. Source of the formats: ggml-common.h and
ggml-quants.c of llama.cpp (block_q4_K, block_q5_0, block_q6_K).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from copilot_server.engine.backends.cpu.library import BLOCK
from copilot_server.engine.backends.cpu.tensors import Array


def pack_q5_0(rows: Array) -> Array:
    """Rows of Q5_0 blocks, as bytes, as (rows / 16, bytes)."""
    blocks = rows.reshape(len(rows), -1, 22)
    fifth = np.unpackbits(blocks[:, :, 2:6], axis=2, bitorder="little")
    codes = _two_codes(blocks[:, :, 6:]) | fifth << 4
    halves = _steps(codes)
    fifth_bits = np.packbits(halves >> 4, axis=2, bitorder="little")
    return _joined(_nibbles(halves), fifth_bits, _by_output(blocks[:, :, :2]))


def pack_q4_k(rows: Array) -> Array:
    """Rows of Q4_K blocks, as bytes, as (rows / 16, bytes)."""
    blocks = rows.reshape(len(rows), -1, 144)
    codes = _two_codes(blocks[:, :, 16:].reshape(len(rows), -1, 32)).reshape(len(rows), -1, 32)
    scales, minima = _six_bits(blocks[:, :, 4:16])
    whole = [_by_output(numbers.reshape(len(rows), -1, 1)) for numbers in (scales, minima)]
    groups = _joined(_nibbles(_steps(codes)), *whole)
    pieces = groups.reshape(len(groups), blocks.shape[1], -1)
    factors = [_by_output(blocks[:, :, at : at + 2]) for at in (0, 2)]
    return _joined(*factors, pieces)


def pack_q6_k(rows: Array) -> Array:
    """Rows of Q6_K blocks, as bytes, as (rows / 16, bytes)."""
    blocks = rows.reshape(len(rows), -1, 210)
    halves = blocks[:, :, :128].reshape(len(rows), -1, 2, 64)
    lower = np.concatenate([halves & 15, halves >> 4], axis=3)
    upper = (
        blocks[:, :, 128:192].reshape(len(rows), -1, 2, 1, 32) >> np.array([0, 2, 4, 6], np.uint8)[:, None]
    )
    codes = lower | (upper.reshape(lower.shape) & 3) << 4
    steps = _steps(codes.reshape(len(rows), -1, 16))
    shifts = np.arange(0, 8, 2, dtype=np.uint8)[:, None]
    two_bits = np.bitwise_or.reduce(steps >> 4 << shifts, axis=2)
    groups = _joined(_nibbles(steps), two_bits, _by_output(blocks[:, :, 192:208].reshape(len(rows), -1, 1)))
    pieces = groups.reshape(len(groups), blocks.shape[1], -1)
    return _joined(_by_output(blocks[:, :, 208:]), pieces)


#: Each takes rows of GGUF blocks, (rows, bytes), and gives blocks of 16 outputs, (rows / 16, bytes).
PACK_BLOCKS: Mapping[str, Callable[[Array], Array]] = {
    "q4_k": pack_q4_k,
    "q5_0": pack_q5_0,
    "q6_k": pack_q6_k,
}


def _two_codes(bytes_: Array) -> Array:
    """The lower four bits of all bytes of a group, then the upper ones."""
    return np.concatenate([bytes_ & 15, bytes_ >> 4], axis=-1)


def _six_bits(packed: Array) -> tuple[Array, Array]:
    """The eight scales and eight minima in the twelve bytes of a Q4_K block, of six bits each."""
    first, second, third = (packed[..., at : at + 4] for at in (0, 4, 8))
    scales = np.concatenate([first & 63, third & 15 | first >> 6 << 4], axis=-1)
    minima = np.concatenate([second & 63, third >> 4 | second >> 6 << 4], axis=-1)
    return scales, minima


def _steps(codes: Array) -> Array:
    """Codes of (rows, groups, inputs) as (rows / 16, groups, inputs / 4, 64): four inputs of 16 outputs."""
    rows, groups, inputs = codes.shape
    blocks = codes.reshape(rows // BLOCK, BLOCK, groups, inputs // 4, 4)
    return blocks.transpose(0, 2, 3, 1, 4).reshape(rows // BLOCK, groups, inputs // 4, 4 * BLOCK)


def _nibbles(steps: Array) -> Array:
    """The lower four bits of the codes of two vectors of 32 in one of bytes."""
    return (steps[..., :32] & 15) | steps[..., 32:] << 4


def _by_output(numbers: Array) -> Array:
    """Bytes of (rows, groups, n) as (rows / 16, groups, 16, n)."""
    rows, groups, size = numbers.shape
    return numbers.reshape(rows // BLOCK, BLOCK, groups, size).transpose(0, 2, 1, 3)


def _joined(*pieces: Array) -> Array:
    """Pieces of each group, (blocks, groups, ...), one after the other: (blocks, bytes)."""
    flat = [piece.reshape(*piece.shape[:2], -1) for piece in pieces]
    joined = np.concatenate(flat, axis=2)
    return joined.reshape(len(joined), -1)
