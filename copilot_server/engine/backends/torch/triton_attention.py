"""Triton kernels of attention: rotate and store, attend over blocks, combine."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import torch
import triton
import triton.language as tl

from copilot_server.engine.backends.torch.inputs import GridInputs
from copilot_server.engine.backends.torch.kv_cache import BLOCK_TOKENS
from copilot_server.engine.backends.torch.limits import BARRIER_BYTES, Limits
from copilot_server.engine.models.architecture import Architecture

Jit = Callable[[Callable[..., None]], Any]

_jit: Jit = triton.jit


def _jit_once_for(*numbers: str) -> Jit:
    """Compile once for all values of these arguments, which change from step to step."""
    return cast("Jit", triton.jit(do_not_specialize=numbers))


#: Heads that one program rotates.
HEADS = 8

#: Keys that a program attends to at a time: as many of these as its shared memory has room for.
KEY_COUNTS = (64, 32, 16)

#: Warps of a program, and how many loads of its inner loop are in flight at once.
WARPS, STAGES = 4, 3

#: The most query rows of a program: tokens times the heads that share a key.
MOST_QUERIES = 64


@_jit
def _rotate_kernel(  # noqa: PLR0913, PLR0917
    qkv: tl.tensor,  # (tokens, heads + 2 * kv_heads, head_dim)
    rope: tl.tensor,  # (tokens, head_dim): cosines, then sines
    store_at: tl.tensor,  # (tokens,)
    stored: tl.tensor,  # (slots, 2 * kv_heads, head_dim)
    queries: tl.tensor,  # (tokens, heads, head_dim)
    heads: tl.constexpr,
    kv_heads: tl.constexpr,
    head_dim: tl.constexpr,
    padded: tl.constexpr,
    step: tl.constexpr,
) -> None:
    """Rotate ``step`` heads of one token by its position; write queries out, keys and values to the cache."""
    token = tl.program_id(0).to(tl.int64)
    head = tl.program_id(1) * step + tl.arange(0, step)
    i = tl.arange(0, padded)
    half = head_dim // 2
    cos = tl.load(rope + token * head_dim + i, mask=i < half, other=0.0)[None, :]
    sin = tl.load(rope + token * head_dim + half + i, mask=i < half, other=0.0)[None, :]
    mask = (head < heads + 2 * kv_heads)[:, None] & (i < half)[None, :]
    indices = head[:, None] * head_dim + i[None, :]
    row = qkv + token * (heads + 2 * kv_heads) * head_dim
    first = tl.load(row + indices, mask=mask, other=0.0).to(tl.float32)
    second = tl.load(row + indices + half, mask=mask, other=0.0).to(tl.float32)
    is_rotated = (head < heads + kv_heads)[:, None]
    rotated_first = tl.where(is_rotated, first * cos - second * sin, first)
    rotated_second = tl.where(is_rotated, second * cos + first * sin, second)
    out = queries + token * heads * head_dim + indices
    tl.store(out, rotated_first.to(queries.dtype.element_ty), mask=mask & (head < heads)[:, None])
    tl.store(out + half, rotated_second.to(queries.dtype.element_ty), mask=mask & (head < heads)[:, None])
    out = stored + tl.load(store_at + token) * 2 * kv_heads * head_dim + indices - heads * head_dim
    tl.store(out, rotated_first.to(stored.dtype.element_ty), mask=mask & (head >= heads)[:, None])
    tl.store(out + half, rotated_second.to(stored.dtype.element_ty), mask=mask & (head >= heads)[:, None])


@_jit_once_for("width", "blocks", "span", "splits")
def _attend_kernel(  # noqa: PLR0913, PLR0917
    queries: tl.tensor,  # (rows * width, heads, head_dim)
    stored: tl.tensor,  # (slots, 2, kv_heads, head_dim)
    positions: tl.tensor,  # (rows * width,)
    tables: tl.tensor,  # (rows, blocks)
    partial: tl.tensor,  # (rows * width, heads, splits, head_dim), float32
    stats: tl.tensor,  # (rows * width, heads, splits, 2), float32: the largest score, the sum of the others
    scale: tl.tensor,
    width: tl.tensor,
    blocks: tl.tensor,
    span: tl.tensor,
    splits: tl.tensor,
    block: tl.constexpr,
    kv_heads: tl.constexpr,
    group: tl.constexpr,
    head_dim: tl.constexpr,
    padded: tl.constexpr,
    query_count: tl.constexpr,
    key_count: tl.constexpr,
) -> None:
    """Some queries of one row that share a key head, over one of the ``splits`` of the row's keys.

    Source: Dao et al. 2023, "Flash-Decoding": softmax over parts, combined by ``_combine_kernel``.
    """
    row = (tl.program_id(0) // kv_heads).to(tl.int64)
    kv_head = tl.program_id(0) % kv_heads
    query = tl.program_id(1) * query_count + tl.arange(0, query_count)
    token = row * width + query // group
    present = query < width * group
    position = tl.load(positions + token, mask=present, other=-1).to(tl.int32)
    first = tl.program_id(2) * span
    end = tl.minimum(first + span, tl.max(position, axis=0) + 1)
    i = tl.arange(0, padded)
    head = token * (kv_heads * group) + kv_head * group + query % group
    query_mask = present[:, None] & (i < head_dim)[None, :]
    q = tl.load(queries + head[:, None] * head_dim + i[None, :], mask=query_mask, other=0.0)
    largest = tl.full((query_count,), float("-inf"), tl.float32)
    total = tl.zeros((query_count,), tl.float32)
    sums = tl.zeros((query_count, padded), tl.float32)
    for start in range(first, end, key_count):
        key = start + tl.arange(0, key_count)
        inside = key < end
        own = tl.load(tables + row * blocks + key // block, mask=inside, other=0)
        index = ((own * block + key % block) * 2 * kv_heads + kv_head) * head_dim
        k = tl.load(
            stored + index[None, :] + i[:, None], mask=inside[None, :] & (i < head_dim)[:, None], other=0.0
        )
        scores = tl.dot(q, k, input_precision="ieee") * scale
        scores = tl.where(key[None, :] <= position[:, None], scores, float("-inf"))
        new_largest = tl.maximum(largest, tl.max(scores, axis=1))
        reference = tl.where(new_largest == float("-inf"), 0.0, new_largest)
        shrink = tl.exp(largest - reference)
        weights = tl.exp(scores - reference[:, None])
        total = total * shrink + tl.sum(weights, axis=1)
        index += kv_heads * head_dim
        v = tl.load(
            stored + index[:, None] + i[None, :], mask=inside[:, None] & (i < head_dim)[None, :], other=0.0
        )
        sums = sums * shrink[:, None]
        sums = tl.dot(weights.to(v.dtype), v, sums, input_precision="ieee")
        largest = new_largest
    out = head * splits + tl.program_id(2)
    tl.store(partial + out[:, None] * head_dim + i[None, :], sums, mask=query_mask)
    tl.store(stats + out * 2, largest, mask=present)
    tl.store(stats + out * 2 + 1, total, mask=present)


@_jit_once_for("splits")
def _combine_kernel(  # noqa: PLR0913, PLR0917
    partial: tl.tensor,
    stats: tl.tensor,
    out: tl.tensor,  # (rows * width, heads, head_dim)
    splits: tl.tensor,
    head_dim: tl.constexpr,
    padded: tl.constexpr,
    most_splits: tl.constexpr,
) -> None:
    """One head of one token: the parts of its softmax, weighted by their sums."""
    head = tl.program_id(0).to(tl.int64)
    split = tl.arange(0, most_splits)
    present = split < splits
    i = tl.arange(0, padded)
    index = head * splits + split
    largest = tl.load(stats + index * 2, mask=present, other=float("-inf"))
    total = tl.load(stats + index * 2 + 1, mask=present, other=0.0)
    weight = tl.exp(largest - tl.max(largest, axis=0))
    mask = present[:, None] & (i < head_dim)[None, :]
    sums = tl.load(partial + index[:, None] * head_dim + i[None, :], mask=mask, other=0.0)
    attended = tl.sum(sums * weight[:, None], axis=0) / tl.sum(total * weight, axis=0)
    tl.store(out + head * head_dim + i, attended.to(out.dtype.element_ty), mask=i < head_dim)


def rotate_and_store(
    a: Architecture, qkv: torch.Tensor, rope: torch.Tensor, store_at: torch.Tensor, stored: torch.Tensor
) -> torch.Tensor:
    """See ``Kernels.rotate_and_store``."""
    tokens = qkv.shape[0]
    queries = torch.empty(tokens, a.heads, a.head_dim, device=qkv.device, dtype=qkv.dtype)
    _rotate_kernel[(tokens, triton.cdiv(a.heads + 2 * a.kv_heads, HEADS))](
        qkv,
        rope,
        store_at,
        stored,
        queries,
        heads=a.heads,
        kv_heads=a.kv_heads,
        head_dim=a.head_dim,
        padded=triton.next_power_of_2(a.head_dim // 2),
        step=HEADS,
    )
    return queries


def attend_shared_bytes(queries: int, keys: int, padded: int, itemsize: int) -> int:
    """An upper bound of the shared memory that ``_attend_kernel`` takes.

    That is the queries, the keys and values that are loaded while others are in use, and the scores between
    the two products.
    """
    loaded = itemsize * padded * (queries + 2 * (STAGES - 1) * keys)
    return loaded + 4 * queries * keys + BARRIER_BYTES


class SplitAttention:
    """A grid's attention: every row's keys are split among as many programs as keep the GPU busy."""

    def __init__(
        self, a: Architecture, inputs: GridInputs, dtype: torch.dtype, processors: int, limits: Limits
    ) -> None:
        self._a = a
        self._inputs = inputs
        self._rows, self._blocks = inputs.tables.shape
        self._width = inputs.positions.shape[0] // self._rows
        self._group = a.heads // a.kv_heads
        queries = self._width * self._group
        self._queries = min(MOST_QUERIES, max(16, triton.next_power_of_2(queries)))
        self._parts = triton.cdiv(queries, self._queries)
        programs = self._rows * a.kv_heads * self._parts
        reach = self._blocks * BLOCK_TOKENS
        self._padded = max(16, triton.next_power_of_2(a.head_dim))
        self._keys = self._key_count(limits, dtype.itemsize)
        wanted = min(triton.cdiv(2 * processors, programs), reach // KEY_COUNTS[0])
        self._span = triton.cdiv(triton.cdiv(reach, max(1, wanted)), KEY_COUNTS[0]) * KEY_COUNTS[0]
        self._splits = triton.cdiv(reach, self._span)

    def _key_count(self, limits: Limits, itemsize: int) -> int:
        counts = (
            keys
            for keys in KEY_COUNTS
            if attend_shared_bytes(self._queries, keys, self._padded, itemsize) <= limits.shared_bytes
        )
        return next(counts, KEY_COUNTS[-1])

    def __call__(self, queries: torch.Tensor, stored: torch.Tensor) -> torch.Tensor:
        """See ``kernels.Attention``."""
        queries = queries.contiguous()  # the kernel computes their addresses from the shape alone
        a, tokens = self._a, queries.shape[0]
        shape = (tokens, a.heads, self._splits)
        partial = torch.empty(*shape, a.head_dim, device=queries.device, dtype=torch.float32)
        stats = torch.empty(*shape, 2, device=queries.device, dtype=torch.float32)
        _attend_kernel[(self._rows * a.kv_heads, self._parts, self._splits)](
            queries,
            stored,
            self._inputs.positions,
            self._inputs.tables,
            partial,
            stats,
            a.head_dim**-0.5,
            self._width,
            self._blocks,
            self._span,
            self._splits,
            block=BLOCK_TOKENS,
            kv_heads=a.kv_heads,
            group=self._group,
            head_dim=a.head_dim,
            padded=self._padded,
            query_count=self._queries,
            key_count=self._keys,
            num_warps=WARPS,
            num_stages=STAGES,
        )
        out = torch.empty_like(queries)
        _combine_kernel[(tokens * a.heads,)](
            partial,
            stats,
            out,
            self._splits,
            head_dim=a.head_dim,
            padded=self._padded,
            most_splits=triton.next_power_of_2(self._splits),
        )
        return out.view(tokens, -1)
