"""How the chunks of a step are grouped: short ones into grids, long ones one after the other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from copilot_server.engine.backends.torch.kv_cache import BLOCK_TOKENS
from copilot_server.engine.runner import Chunk

#: The most tokens of long pieces in one pass: enough to keep any GPU busy, with activations that stay small.
LONG_TOKENS = 2048

#: The most tokens of a grid, padding included.
GRID_TOKENS = 512


@dataclass(frozen=True, slots=True)
class Piece:
    """The tokens that one pass appends to a sequence.

    ``start``: the position of the first; ``slots``: for each of the last ``len(slots)`` tokens, which of the
    step's choices is made after it.
    """

    sequence: int
    token_ids: Sequence[int]
    start: int
    slots: range

    @property
    def end(self) -> int:
        """The sequence's length after this piece."""
        return self.start + len(self.token_ids)


@dataclass(frozen=True, slots=True)
class Grid:
    """Short pieces as rows of equal width, ``rows`` and ``width`` counting the padding.

    ``blocks``: how many blocks of the KV cache each row attends to.
    """

    pieces: tuple[Piece, ...]
    rows: int
    width: int
    blocks: int


@dataclass(frozen=True, slots=True)
class Long:
    """Long pieces, side by side without padding."""

    pieces: tuple[Piece, ...]


@dataclass(frozen=True, slots=True)
class Shapes:
    """The shapes that grids may have: few, if each is captured as a graph of its own.

    ``rows`` and ``widths`` ascend; what is wider than the last of ``widths`` is long. With ``exact``,
    nothing is padded.
    """

    rows: tuple[int, ...]
    widths: tuple[int, ...]
    exact: bool

    def row_count(self, rows: int) -> int:
        """The smallest allowed number of rows that is at least ``rows``."""
        return rows if self.exact else _at_least(self.rows, rows)

    def width(self, width: int) -> int:
        """The smallest allowed width that is at least ``width``."""
        return width if self.exact else _at_least(self.widths, width)

    def blocks(self, length: int) -> int:
        """Blocks to attend to, for sequences up to ``length`` tokens long: a power of two."""
        exact = -(-length // BLOCK_TOKENS)
        return exact if self.exact else max(MIN_BLOCKS, 1 << (exact - 1).bit_length())


#: The fewest blocks that a padded grid attends to: shorter contexts gain nothing.
MIN_BLOCKS = 256 // BLOCK_TOKENS

#: The shapes where nothing is captured.
EXACT_SHAPES = Shapes((), (16,), exact=True)

#: The shapes where each is captured.
GRAPH_SHAPES = Shapes(
    rows=(1, 2, 4, 8, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512),
    widths=(1, 2, 4, 8, 16, 32, 64, 128),
    exact=False,
)


def pieces_of(chunks: Sequence[Chunk], starts: Sequence[int]) -> Iterator[Piece]:
    """Number the choices of a step in order, and cut what is too long for one pass.

    ``starts``: each sequence's length before the step.
    """
    slot = 0
    for chunk, start in zip(chunks, starts, strict=True):
        count = len(chunk.token_ids)
        unchosen = count - len(chunk.choices)
        for first in range(0, count, LONG_TOKENS):
            last = min(first + LONG_TOKENS, count)
            slots = range(slot + max(0, first - unchosen), slot + max(0, last - unchosen))
            yield Piece(chunk.sequence, chunk.token_ids[first:last], start + first, slots)
        slot += len(chunk.choices)


def plan(pieces: Sequence[Piece], shapes: Shapes) -> Iterator[Grid | Long]:
    """The passes of a step: long pieces before short ones, which may be the ends of long chunks."""
    widest = shapes.widths[-1]
    yield from _longs([piece for piece in pieces if len(piece.token_ids) > widest])
    yield from _grids([piece for piece in pieces if len(piece.token_ids) <= widest], shapes)


def _longs(pieces: Sequence[Piece]) -> Iterator[Long]:
    """Passes with as many pieces side by side as ``LONG_TOKENS`` allows."""
    group: list[Piece] = []
    for piece in pieces:
        if group and sum(len(other.token_ids) for other in (*group, piece)) > LONG_TOKENS:
            yield Long(tuple(group))
            group = []
        group.append(piece)
    if group:
        yield Long(tuple(group))


def _grids(pieces: Sequence[Piece], shapes: Shapes) -> Iterator[Grid]:
    """Grids of the widest pieces first, each with as many narrower ones as ``GRID_TOKENS`` allows."""
    waiting = sorted(pieces, key=lambda piece: len(piece.token_ids), reverse=True)
    while waiting:
        width = shapes.width(len(waiting[0].token_ids))
        group, waiting = waiting[: GRID_TOKENS // width], waiting[GRID_TOKENS // width :]
        blocks = shapes.blocks(max(piece.end for piece in group))
        yield Grid(tuple(group), shapes.row_count(len(group)), width, blocks)


def _at_least(sizes: Sequence[int], wanted: int) -> int:
    return next(size for size in sizes if size >= wanted)
