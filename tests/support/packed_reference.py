"""Packing in numpy, as kernels/decoder.h describes what is packed, to compare kernels/packing.c with.

Blocks of GGUF's number formats are put in the order in which the kernels read them: the codes and scales are
the file's own. Other weights are rounded to int8. Source of the formats: ggml-common.h and ggml-quants.c of
llama.cpp (block_q4_0, block_q5_0, block_q8_0, block_q4_K, block_q5_K, block_q6_K).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from copilot_server.engine.backends.cpu.library import BLOCK, GROUP
from copilot_server.engine.backends.cpu.tensors import Array


def round_to_int8(rows: Array) -> tuple[Array, Array]:
    """Rows in float32, whole blocks of whole groups, as data and scales of int8 (decoder.h).

    A scale is rounded up to bfloat16 before the weights are divided by it. Of a group that is not finite,
    only the scale says so.
    """
    groups = rows.reshape(len(rows), -1, GROUP)
    with np.errstate(invalid="ignore"):
        bits = (np.abs(groups).max(axis=2) / np.float32(127)).view(np.uint32)
    scales = ((bits + np.uint32(0xFFFF)) >> 16).astype(np.uint16)
    factors = (scales.astype(np.uint32) << 16).view(np.float32)
    # The inverse of a smaller scale would overflow; weights as small as that become zeros.
    divides = factors >= np.finfo(np.float32).tiny
    inverse = np.divide(1.0, factors, out=np.zeros_like(factors), where=divides)
    with np.errstate(invalid="ignore"):
        values = np.nan_to_num(np.rint(groups * inverse[:, :, None])).astype(np.int8)
    shifted = (values.view(np.uint8) ^ 0x80).reshape(-1, BLOCK, rows.shape[1] // 4, 4)
    return shifted.transpose(0, 2, 1, 3), scales.reshape(-1, BLOCK, scales.shape[1]).transpose(0, 2, 1)


def pack_q4_0(rows: Array) -> Array:
    """Rows of Q4_0 blocks, as bytes, as (rows / 16, bytes)."""
    blocks = rows.reshape(len(rows), -1, 18)
    return _joined(*_two_nibbles(blocks[:, :, 2:]), _by_output(blocks[:, :, :2]))


def pack_q5_0(rows: Array) -> Array:
    """Rows of Q5_0 blocks, as bytes, as (rows / 16, bytes)."""
    blocks = rows.reshape(len(rows), -1, 22)
    fifth = _by_output(_every_fourth_bit(blocks[:, :, 2:6]))
    return _joined(*_two_nibbles(blocks[:, :, 6:]), fifth, _by_output(blocks[:, :, :2]))


def pack_q8_0(rows: Array) -> Array:
    """Rows of Q8_0 blocks, as bytes, as (rows / 16, bytes)."""
    blocks = rows.reshape(len(rows), -1, 34)
    return _joined(_steps(blocks[:, :, 2:] ^ 0x80), _by_output(blocks[:, :, :2]))


def pack_q4_k(rows: Array) -> Array:
    """Rows of Q4_K blocks, as bytes, as (rows / 16, bytes)."""
    return _with_minima(rows.reshape(len(rows), -1, 144))


def pack_q5_k(rows: Array) -> Array:
    """Rows of Q5_K blocks, as bytes, as (rows / 16, bytes)."""
    blocks = rows.reshape(len(rows), -1, 176)
    fifth = _by_output(_bits_of_groups(blocks[:, :, 16:48]).reshape(len(rows), -1, 4))
    return _with_minima(np.delete(blocks, np.s_[16:48], axis=2), fifth)


def _with_minima(blocks: Array, *more_bits: Array) -> Array:
    """Blocks of Q4_K; ``more_bits``: of each group, (blocks, groups, ...)."""
    rows = len(blocks)
    nibbles = np.stack(_two_nibbles(blocks[:, :, 16:].reshape(rows, -1, 32)), axis=2)
    nibbles = nibbles.reshape(len(nibbles), -1, *nibbles.shape[3:])
    scales, minima = _six_bits(blocks[:, :, 4:16])
    whole = [_by_output(numbers.reshape(rows, -1, 1)) for numbers in (scales, minima)]
    groups = _joined(nibbles, *more_bits, *whole)
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
    "q4_0": pack_q4_0,
    "q5_0": pack_q5_0,
    "q8_0": pack_q8_0,
    "q4_k": pack_q4_k,
    "q5_k": pack_q5_k,
    "q6_k": pack_q6_k,
}


def _two_nibbles(bytes_: Array) -> tuple[Array, Array]:
    """The lower and the upper codes of (rows, groups, n) bytes, each as (rows / 16, groups, n / 4, 32).

    A vector of 32 bytes has four inputs of eight outputs and, in the upper bits, those of the next eight.
    """
    rows, groups, size = bytes_.shape
    halves = bytes_.reshape(rows // BLOCK, 2, BLOCK // 2, groups * size)
    first, second = halves[:, 0], halves[:, 1]
    lower, upper = first & 15 | second << 4, first >> 4 | second & 240
    steps = [by_output.view(np.uint32).transpose(0, 2, 1) for by_output in (lower, upper)]
    shape = rows // BLOCK, groups, size // 4, 2 * BLOCK
    first_steps, second_steps = (np.ascontiguousarray(step).view(np.uint8).reshape(shape) for step in steps)
    return first_steps, second_steps


def _every_fourth_bit(bytes_: Array) -> Array:
    """Bits 0, 4, ... 28 of each group of four bytes, then 1, 5, ..., and so on: (rows, groups, 4) bytes."""
    bits = np.ascontiguousarray(bytes_).view("<u4") >> np.arange(4, dtype=np.uint32) & 0x11111111
    bits = (bits | bits >> 3) & 0x03030303
    bits = (bits | bits >> 6) & 0x000F000F
    return ((bits | bits >> 12) & 0xFF).astype(np.uint8)


def _bits_of_groups(bytes_: Array) -> Array:
    """Bit g of 32 bytes, one an input, for each g as four bytes: bit i of byte j is that of input 4 i + j."""
    fours = np.ascontiguousarray(bytes_).view("<u4")[..., None, :]
    shifts = np.arange(8, dtype=np.uint32)
    bits: Array = np.bitwise_or.reduce((fours >> shifts[:, None] & 0x01010101) << shifts, axis=-1)
    return bits.astype("<u4").view(np.uint8)


def _six_bits(packed: Array) -> tuple[Array, Array]:
    """The eight scales and eight minima in the twelve bytes of a Q4_K or Q5_K block, of six bits each."""
    first, second, third = (packed[..., at : at + 4] for at in (0, 4, 8))
    scales = np.concatenate([first & 63, third & 15 | first >> 6 << 4], axis=-1)
    minima = np.concatenate([second & 63, third >> 4 | second >> 6 << 4], axis=-1)
    return scales, minima


def _steps(codes: Array) -> Array:
    """Codes of (rows, groups, inputs) as (rows / 16, groups, inputs / 4, 64): four inputs of 16 outputs."""
    rows, groups, inputs = codes.shape
    fours = np.ascontiguousarray(codes).view(np.uint32).reshape(rows // BLOCK, BLOCK, groups, inputs // 4)
    steps = np.ascontiguousarray(fours.transpose(0, 2, 3, 1))
    return steps.view(np.uint8).reshape(rows // BLOCK, groups, inputs // 4, 4 * BLOCK)


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
