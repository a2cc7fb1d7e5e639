"""The inputs of a pass: token ids, positions and KV cache indices, in buffers at fixed addresses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from copilot_server.engine.backends.torch.kv_cache import BLOCK_TOKENS, PADDING_BLOCK, KvCache
from copilot_server.engine.backends.torch.plan import Grid, Long, Piece

Numbers = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class GridInputs:
    """A grid's numbers on the device.

    The first four are (rows * width,): each token's id, its position in its sequence, its index in the KV
    cache, and which choice is made after it. ``tables``: the blocks of each row, (rows, blocks).
    """

    token_ids: torch.Tensor
    positions: torch.Tensor
    store_at: torch.Tensor
    chosen_at: torch.Tensor
    tables: torch.Tensor

    @classmethod
    def of(cls, numbers: torch.Tensor, grid: Grid) -> GridInputs:
        """Split what ``grid_numbers`` made into its parts."""
        size = grid.rows * grid.width
        by_token, tables = numbers[: 4 * size].view(4, size), numbers[4 * size :]
        token_ids, positions, store_at, chosen_at = by_token.unbind()
        return cls(token_ids, positions, store_at, chosen_at, tables.view(grid.rows, grid.blocks))


@dataclass(frozen=True, slots=True)
class Segment:
    """A long piece among those side by side: which tokens are its own, and all that they attend to.

    ``length``: its sequence's length after it; ``blocks``: its sequence's blocks, on the device.
    """

    tokens: slice
    length: int
    blocks: torch.Tensor


@dataclass(frozen=True, slots=True)
class LongInputs:
    """The numbers of long pieces on the device, as in ``GridInputs``, (tokens,) each."""

    token_ids: torch.Tensor
    positions: torch.Tensor
    store_at: torch.Tensor
    chosen_at: torch.Tensor
    segments: tuple[Segment, ...]

    @classmethod
    def of(cls, numbers: torch.Tensor, long: Long) -> LongInputs:
        """Split what ``long_numbers`` made into its parts."""
        tokens = sum(len(piece.token_ids) for piece in long.pieces)
        tables = numbers[4 * tokens :]
        segments, token, block = [], 0, 0
        for piece in long.pieces:
            own = slice(token, token + len(piece.token_ids))
            blocks = -(-piece.end // BLOCK_TOKENS)
            segments.append(Segment(own, piece.end, tables[block : block + blocks]))
            token, block = own.stop, block + blocks
        token_ids, positions, store_at, chosen_at = numbers[: 4 * tokens].view(4, tokens).unbind()
        return cls(token_ids, positions, store_at, chosen_at, tuple(segments))


def grid_numbers(grid: Grid, cache: KvCache, unchosen: int) -> Numbers:
    """A grid's numbers, flat. Padding goes to the spare block and to the choice ``unchosen``."""
    shape = (grid.rows, grid.width)
    token_ids, chosen_at = np.zeros(shape, np.int64), np.full(shape, unchosen)
    tables = np.full((grid.rows, grid.blocks), PADDING_BLOCK)
    starts, counts = np.zeros((2, grid.rows, 1), np.int64)
    for row, piece in enumerate(grid.pieces):
        count, blocks = len(piece.token_ids), cache.blocks(piece.sequence)
        token_ids[row, :count] = piece.token_ids
        chosen_at[row, count - len(piece.slots) : count] = piece.slots
        tables[row, : len(blocks)] = blocks
        starts[row], counts[row] = piece.start, count
    offsets = np.arange(grid.width)
    positions = starts + np.minimum(offsets, np.maximum(counts - 1, 0))
    own_blocks = np.take_along_axis(tables, positions // BLOCK_TOKENS, axis=1)
    indices = own_blocks * BLOCK_TOKENS + positions % BLOCK_TOKENS
    store_at = np.where(offsets < counts, indices, PADDING_BLOCK * BLOCK_TOKENS)
    return np.concatenate([part.ravel() for part in (token_ids, positions, store_at, chosen_at, tables)])


def long_numbers(long: Long, cache: KvCache, unchosen: int) -> Numbers:
    """The numbers of long pieces, flat."""
    by_piece = [_long_numbers(piece, cache.blocks(piece.sequence), unchosen) for piece in long.pieces]
    tables = [cache.blocks(piece.sequence)[: -(-piece.end // BLOCK_TOKENS)] for piece in long.pieces]
    return np.concatenate([np.concatenate(by_piece, axis=1).ravel(), *map(np.asarray, tables)])


def _long_numbers(piece: Piece, blocks: Sequence[int], unchosen: int) -> Numbers:
    """(4, tokens): ids, positions, indices in the KV cache, and choices."""
    positions = np.arange(piece.start, piece.end)
    store_at = np.asarray(blocks)[positions // BLOCK_TOKENS] * BLOCK_TOKENS + positions % BLOCK_TOKENS
    chosen_at = np.full(len(positions), unchosen)
    chosen_at[len(positions) - len(piece.slots) :] = piece.slots
    return np.stack([np.asarray(piece.token_ids), positions, store_at, chosen_at])


class StaticBuffer:
    """Sends numbers to the device: they are written to pinned memory and sent in one asynchronous copy.

    They always arrive at the same address, so that captured graphs find them.
    """

    def __init__(self, capacity: int, dtype: torch.dtype, device: torch.device) -> None:
        self._on_device = torch.zeros(capacity, dtype=dtype, device=device)
        self._pinned: torch.Tensor | None = None
        if device.type == "cuda":
            self._pinned = torch.zeros(capacity, dtype=dtype, pin_memory=True)
            self._sent = torch.cuda.Event()  # type: ignore[no-untyped-call]

    def send(self, numbers: NDArray[np.int64] | NDArray[np.float32]) -> torch.Tensor:
        """Send a one-dimensional array; the result is on the device, and valid until the next call."""
        on_device = self._on_device[: len(numbers)]
        if self._pinned is None:
            return on_device.copy_(torch.from_numpy(numbers))
        self._sent.synchronize()  # the previous numbers must be sent before they are overwritten
        pinned = self._pinned[: len(numbers)]
        pinned.numpy()[:] = numbers
        on_device.copy_(pinned, non_blocking=True)
        self._sent.record()
        return on_device
