"""The block allocator of a paged KV cache: which sequence owns which block, and which blocks are free.

Keys and values lie in blocks of a fixed number of tokens, so that sequences with a common beginning can share
memory (Kwon et al. 2023, "PagedAttention", arXiv:2309.06180). This module does the bookkeeping only, in plain
Python; the arrays belong to the backends, which copy blocks when ``BlockAllocator.reserve`` tells them to.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from copilot_server.errors import EngineError


@dataclass(slots=True)
class _Pages:
    """One sequence: its length in tokens and the blocks that hold them, in order."""

    length: int = 0
    blocks: list[int] = field(default_factory=list)


class BlockAllocator:
    """Sequences of tokens over a fixed number of blocks, with reference counts and copy-on-write.

    Token ``i`` of a sequence lies at offset ``i % block_size`` of ``blocks(sequence)[i // block_size]``. A
    fork shares the blocks of its original. A full block is never written again, so sharing it is free;
    whichever sequence first writes into a shared last block gets a copy of its own.

    Sequences are numbered from 0 to ``max_sequences - 1`` and blocks from ``first_block`` to
    ``first_block + block_count - 1``. Both are reused as soon as they are free, the latest first, so that
    memory that has never been touched stays untouched as long as possible.
    """

    def __init__(
        self,
        *,
        block_count: int,
        block_size: int,
        max_sequences: int,
        max_length: int,
        first_block: int = 0,
    ) -> None:
        """Create an allocator in which every block is free.

        Args:
            block_count: How many blocks there are.
            block_size: How many tokens a block holds.
            max_sequences: How many sequences can be open at once.
            max_length: The most tokens that one sequence can have.
            first_block: The lowest block number, for a backend that keeps lower ones for itself.
        """
        self._block_count = block_count
        self._block_size = block_size
        self._max_sequences = max_sequences
        self._max_length = max_length
        self._free = list(range(first_block + block_count - 1, first_block - 1, -1))
        self._users = [0] * (first_block + block_count)
        self._unused = list(range(max_sequences - 1, -1, -1))
        self._sequences: dict[int, _Pages] = {}

    @property
    def capacity(self) -> int:
        """How many tokens fit into all blocks together."""
        return self._block_count * self._block_size

    @property
    def max_sequences(self) -> int:
        """How many sequences can be open at once."""
        return self._max_sequences

    @property
    def free_blocks(self) -> int:
        """How many blocks belong to no sequence."""
        return len(self._free)

    @property
    def free_tokens(self) -> int:
        """How many more tokens are sure to fit, however they are spread over the open sequences.

        Each open sequence may leave the rest of its last block unused, and may first have to copy a block
        that it shares.
        """
        lost = sum(1 + self._must_copy(pages) for pages in self._sequences.values())
        return max(0, len(self._free) - lost) * self._block_size

    def grow(self, blocks: int) -> None:
        """Add ``blocks`` free blocks, numbered after the last one; they are taken last."""
        first = len(self._users)
        self._free[:0] = range(first + blocks - 1, first - 1, -1)
        self._users += [0] * blocks
        self._block_count += blocks

    def open(self) -> int:
        """Begin an empty sequence and return its number.

        Raises:
            EngineError: ``max_sequences`` are open already.
        """
        if not self._unused:
            msg = f"All {self._max_sequences} sequences of the KV cache are in use."
            raise EngineError(msg, remedy="Ask for fewer candidates or a smaller batch at once.")
        sequence = self._unused.pop()
        self._sequences[sequence] = _Pages()
        return sequence

    def fork(self, sequence: int, length: int) -> int:
        """Begin a sequence with the first ``length`` tokens of another, in the same blocks.

        Raises:
            EngineError: ``max_sequences`` are open already.
            ValueError: the other sequence has fewer tokens.
        """
        pages = self._sequences[sequence]
        _check_length(sequence, pages, length)
        copy = self.open()
        blocks = pages.blocks[: self._blocks_for(length)]
        for block in blocks:
            self._users[block] += 1
        self._sequences[copy] = _Pages(length, blocks)
        return copy

    def truncate(self, sequence: int, length: int) -> None:
        """Forget all but a sequence's first ``length`` tokens.

        Raises:
            ValueError: the sequence has fewer tokens.
        """
        pages = self._sequences[sequence]
        _check_length(sequence, pages, length)
        kept = self._blocks_for(length)
        self._release(pages.blocks[kept:])
        del pages.blocks[kept:]
        pages.length = length

    def close(self, sequence: int) -> None:
        """Forget a sequence; its number may be given to another one."""
        self._release(self._sequences.pop(sequence).blocks)
        self._unused.append(sequence)

    def length(self, sequence: int) -> int:
        """How many tokens a sequence has."""
        return self._sequences[sequence].length

    def blocks(self, sequence: int) -> Sequence[int]:
        """The blocks of a sequence, in order."""
        return self._sequences[sequence].blocks

    def reserve(self, wanted: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
        """Lengthen each sequence of ``(sequence, tokens)``, so that those tokens can be written.

        Either every sequence is lengthened or none is. No sequence may be named twice.

        Returns:
            The blocks to copy before anything is written, as ``(from, to)``. No block is among both.

        Raises:
            EngineError: there are too few free blocks, or a sequence would exceed ``max_length``; then
                nothing has changed.
        """
        self._check_room(wanted)
        return [copy for sequence, count in wanted if count for copy in self._lengthen(sequence, count)]

    def _check_room(self, wanted: Sequence[tuple[int, int]]) -> None:
        needed = 0
        for sequence, count in wanted:
            pages = self._sequences[sequence]
            end = pages.length + count
            if end > self._max_length:
                msg = f"A sequence of {end} tokens is too long for a window of {self._max_length}."
                remedy = "Lower completion.max_prompt_tokens or completion.max_new_tokens."
                raise EngineError(msg, remedy=remedy)
            copied = count > 0 and self._must_copy(pages)
            needed += self._blocks_for(end) - len(pages.blocks) + copied
        if needed > len(self._free):
            tokens = sum(count for _, count in wanted)
            msg = f"The KV cache of {self.capacity} tokens has no room for {tokens} more."
            remedy = "Lower completion.max_prompt_tokens or the batch, or choose a smaller model."
            raise EngineError(msg, remedy=remedy)

    def _lengthen(self, sequence: int, count: int) -> list[tuple[int, int]]:
        """Take blocks for ``count`` more tokens; the copy to make, if the last block is another's too."""
        pages = self._sequences[sequence]
        copies = []
        if self._must_copy(pages):
            shared = pages.blocks[-1]
            self._users[shared] -= 1
            pages.blocks[-1] = self._take()
            copies.append((shared, pages.blocks[-1]))
        pages.length += count
        while len(pages.blocks) < self._blocks_for(pages.length):
            pages.blocks.append(self._take())
        return copies

    def _must_copy(self, pages: _Pages) -> bool:
        """Whether the next token would be written into a block that another sequence reads too."""
        return pages.length % self._block_size != 0 and self._users[pages.blocks[-1]] > 1

    def _take(self) -> int:
        block = self._free.pop()
        self._users[block] = 1
        return block

    def _release(self, blocks: Sequence[int]) -> None:
        for block in reversed(blocks):
            self._users[block] -= 1
            if self._users[block] == 0:
                self._free.append(block)

    def _blocks_for(self, tokens: int) -> int:
        return -(-tokens // self._block_size)


def _check_length(sequence: int, pages: _Pages, length: int) -> None:
    if not 0 <= length <= pages.length:
        msg = f"sequence {sequence} has {pages.length} tokens and cannot be cut to {length}"
        raise ValueError(msg)
