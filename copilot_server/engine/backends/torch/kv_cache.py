"""The arrays of the KV cache; ``engine.paging`` decides which of their blocks belong to which sequence."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from copilot_server.engine.models.architecture import Architecture
from copilot_server.engine.paging import BlockAllocator

#: Tokens in a block of this backend's KV cache.
BLOCK_TOKENS = 32

#: The block that padding is written to; no sequence owns it.
PADDING_BLOCK = 0


class KvCache:
    """Keys and values of every open sequence, in one tensor that can grow.

    ``layers``: one tensor for each layer, (tokens, 2, kv_heads, head_dim): a token's key, then its value.
    Token ``i`` of a sequence lies at index ``blocks[i // BLOCK_TOKENS] * BLOCK_TOKENS + i % BLOCK_TOKENS``.
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
        """Allocate room for ``tokens`` tokens, rounded down to whole blocks, and one block for padding."""
        block_count = tokens // BLOCK_TOKENS
        self._allocator = BlockAllocator(
            block_count=block_count,
            block_size=BLOCK_TOKENS,
            max_sequences=max_sequences,
            max_length=architecture.context_length,
            first_block=PADDING_BLOCK + 1,
        )
        heads = (2, architecture.kv_heads, architecture.head_dim)
        shape = (architecture.layers, (1 + block_count) * BLOCK_TOKENS, *heads)
        self._tensor = torch.zeros(shape, device=device, dtype=dtype)
        self.layers = tuple(self._tensor)

    @property
    def max_sequences(self) -> int:
        """How many sequences can be open at once."""
        return self._allocator.max_sequences

    @property
    def nbytes(self) -> int:
        """Its size in memory."""
        return self._tensor.nbytes

    @property
    def tokens(self) -> int:
        """How many tokens it has room for."""
        return self._allocator.capacity

    @property
    def free_tokens(self) -> int:
        """How many more tokens are sure to fit, however they are spread over the open sequences."""
        return self._allocator.free_tokens

    def open(self) -> int:
        """Begin an empty sequence; see ``BlockAllocator.open``."""
        return self._allocator.open()

    def fork(self, sequence: int, length: int) -> int:
        """Begin a sequence with the first ``length`` tokens of another; see ``BlockAllocator.fork``."""
        return self._allocator.fork(sequence, length)

    def truncate(self, sequence: int, length: int) -> None:
        """Forget all but a sequence's first ``length`` tokens."""
        self._allocator.truncate(sequence, length)

    def close(self, sequence: int) -> None:
        """Forget a sequence."""
        self._allocator.close(sequence)

    def length(self, sequence: int) -> int:
        """How many tokens a sequence has."""
        return self._allocator.length(sequence)

    def blocks(self, sequence: int) -> Sequence[int]:
        """The blocks of a sequence, in order."""
        return self._allocator.blocks(sequence)

    def reserve(self, wanted: Sequence[tuple[int, int]]) -> None:
        """Lengthen each sequence of ``(sequence, tokens)``, copying what must not be written where it is.

        Raises:
            EngineError: there are too few free blocks; then nothing has changed.
        """
        copies = self._allocator.reserve(wanted)
        if copies:
            sources, targets = torch.tensor(copies, device=self._tensor.device).T
            by_block = self._tensor.view(len(self.layers), -1, BLOCK_TOKENS, *self._tensor.shape[2:])
            by_block[:, targets] = by_block[:, sources]

    def grow(self, tokens: int) -> None:
        """Make room for ``tokens`` tokens in all, keeping what the open sequences hold.

        The arrays move to other addresses, which invalidates whatever was captured with the old ones. While
        they are copied, the old and the new ones are both in memory.

        Raises:
            torch.OutOfMemoryError: there is no room; then nothing has changed.
        """
        added = tokens // BLOCK_TOKENS - self.tokens // BLOCK_TOKENS
        if added <= 0:
            return
        layers, old, *heads = self._tensor.shape
        larger = self._tensor.new_zeros((layers, old + added * BLOCK_TOKENS, *heads))
        larger[:, :old] = self._tensor
        self._tensor = larger
        self.layers = tuple(larger)
        self._allocator.grow(added)


def bytes_per_token(architecture: Architecture, dtype: torch.dtype) -> int:
    """How much memory one token takes in the KV cache, over all layers."""
    return architecture.layers * 2 * architecture.kv_heads * architecture.head_dim * dtype.itemsize
