"""The keys and values of every open sequence, in blocks that sequences with one beginning share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch

from copilot_server.engine.models.architecture import Architecture
from copilot_server.errors import EngineError

#: Tokens in a block.
BLOCK = 32

#: The block that padding is written to; no sequence owns it.
SPARE = 0


@dataclass(slots=True)
class _Pages:
    """One sequence: its length in tokens and the blocks that hold them, in order."""

    length: int = 0
    blocks: list[int] = field(default_factory=list)

    @property
    def has_partial_block(self) -> bool:
        return self.length % BLOCK != 0


class KvCache:
    """Keys and values, allocated once.

    ``layers``: one tensor for each layer, (tokens, 2, kv_heads, head_dim): a token's key, then its value.
    Token ``i`` of a sequence lies at ``blocks[i // BLOCK] * BLOCK + i % BLOCK``. A fork shares its blocks
    with the original; whichever writes first into a shared block gets a copy of its own (``reserve``).
    """

    def __init__(
        self,
        architecture: Architecture,
        *,
        tokens: int,
        max_sequences: int,
        device: torch.device,
        dtype: torch.dtype,
    ) -> None:
        self.block_count = tokens // BLOCK
        self.max_sequences = max_sequences
        shape = (architecture.layers, (self.block_count + 1) * BLOCK)
        heads = (2, architecture.kv_heads, architecture.head_dim)
        self._tensor = torch.zeros((*shape, *heads), device=device, dtype=dtype)
        self.layers = tuple(self._tensor)
        self._free = list(range(self.block_count, SPARE, -1))
        self._owners = [0] * (self.block_count + 1)
        self._sequences: dict[int, _Pages] = {}
        self._next = 0

    @property
    def nbytes(self) -> int:
        """Its size in memory."""
        return self._tensor.nbytes

    @property
    def tokens(self) -> int:
        """Tokens that it has room for."""
        return self.block_count * BLOCK

    @property
    def free_tokens(self) -> int:
        """Tokens that surely fit, however they are spread over the open sequences.

        A sequence can leave the rest of its last block unused, and copying a shared one takes another.
        """
        wasted = sum(1 + self._shares_last(pages) for pages in self._sequences.values())
        return max(0, len(self._free) - wasted) * BLOCK

    def open(self) -> int:
        """Begin an empty sequence and return its number.

        Raises:
            EngineError: ``max_sequences`` are open.
        """
        if len(self._sequences) >= self.max_sequences:
            msg = f"All {self.max_sequences} sequences of the KV cache are in use."
            raise EngineError(msg, remedy="Ask for fewer candidates or a smaller batch at once.")
        sequence, self._next = self._next, self._next + 1
        self._sequences[sequence] = _Pages()
        return sequence

    def fork(self, sequence: int, length: int) -> int:
        """Begin a sequence with another's first ``length`` tokens, in the same blocks.

        Raises:
            EngineError: ``max_sequences`` are open.
        """
        blocks = self._sequences[sequence].blocks[: _blocks_for(length)]
        copy = self.open()
        for block in blocks:
            self._owners[block] += 1
        self._sequences[copy] = _Pages(length, blocks)
        return copy

    def truncate(self, sequence: int, length: int) -> None:
        """Forget all but a sequence's first ``length`` tokens."""
        pages = self._sequences[sequence]
        if length > pages.length:
            msg = f"sequence {sequence} has {pages.length} tokens, fewer than {length}"
            raise ValueError(msg)
        kept = _blocks_for(length)
        self._release(pages.blocks[kept:])
        del pages.blocks[kept:]
        pages.length = length

    def close(self, sequence: int) -> None:
        """Forget a sequence."""
        self._release(self._sequences.pop(sequence).blocks)

    def length(self, sequence: int) -> int:
        """A sequence's tokens."""
        return self._sequences[sequence].length

    def blocks(self, sequence: int) -> Sequence[int]:
        """The blocks of a sequence, in order."""
        return self._sequences[sequence].blocks

    def reserve(self, wanted: Sequence[tuple[int, int]]) -> None:
        """Lengthen each sequence of ``(sequence, tokens)``, giving it blocks that it may write to.

        Raises:
            EngineError: there are too few blocks; then nothing has changed.
        """
        if sum(self._needed(sequence, count) for sequence, count in wanted) > len(self._free):
            msg = f"The KV cache's {self.tokens} tokens are used up."
            remedy = "Lower completion.max_prompt_tokens or the batch, or choose a smaller model."
            raise EngineError(msg, remedy=remedy)
        copies = [copy for sequence, count in wanted for copy in self._lengthen(sequence, count)]
        if copies:
            self._copy_blocks(*zip(*copies, strict=True))

    def _needed(self, sequence: int, count: int) -> int:
        """Blocks that ``count`` more tokens take at most."""
        pages = self._sequences[sequence]
        return _blocks_for(pages.length + count) - len(pages.blocks) + self._shares_last(pages)

    def _shares_last(self, pages: _Pages) -> bool:
        """Whether the next token would go into a block that another sequence reads too."""
        return pages.has_partial_block and self._owners[pages.blocks[-1]] > 1

    def _lengthen(self, sequence: int, count: int) -> list[tuple[int, int]]:
        """Take blocks for ``count`` tokens; the copies to make, as ``(from, to)``."""
        pages = self._sequences[sequence]
        copies = []
        if count and self._shares_last(pages):
            shared = pages.blocks[-1]
            self._owners[shared] -= 1
            pages.blocks[-1] = self._take()
            copies.append((shared, pages.blocks[-1]))
        pages.length += count
        while len(pages.blocks) < _blocks_for(pages.length):
            pages.blocks.append(self._take())
        return copies

    def _take(self) -> int:
        block = self._free.pop()
        self._owners[block] = 1
        return block

    def _release(self, blocks: Sequence[int]) -> None:
        for block in reversed(blocks):
            self._owners[block] -= 1
            if self._owners[block] == 0:
                self._free.append(block)

    def _copy_blocks(self, sources: Sequence[int], targets: Sequence[int]) -> None:
        index = torch.tensor([sources, targets], device=self._tensor.device)
        by_block = self._tensor.view(len(self.layers), -1, BLOCK, *self._tensor.shape[2:])
        by_block[:, index[1]] = by_block[:, index[0]]


def bytes_per_token(architecture: Architecture, dtype: torch.dtype) -> int:
    """What one token takes of the KV cache, in all layers."""
    return architecture.layers * 2 * architecture.kv_heads * architecture.head_dim * dtype.itemsize


def _blocks_for(tokens: int) -> int:
    return -(-tokens // BLOCK)
