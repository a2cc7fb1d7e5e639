"""The runner on PyTorch: a step, from its chunks to the tokens that it chooses."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch

from copilot_server.engine.backends.torch.attention import LongAttention
from copilot_server.engine.backends.torch.chooser import CHOICES, UNCHOSEN, Chooser
from copilot_server.engine.backends.torch.decoder import Decoder
from copilot_server.engine.backends.torch.fallback import FallbackChain, free_unused_memory
from copilot_server.engine.backends.torch.inputs import (
    GridInputs,
    LongInputs,
    StaticBuffer,
    grid_numbers,
    long_numbers,
)
from copilot_server.engine.backends.torch.kernels import Attention
from copilot_server.engine.backends.torch.kv_cache import KvCache
from copilot_server.engine.backends.torch.plan import (
    GRID_TOKENS,
    LONG_TOKENS,
    Grid,
    Long,
    pieces_of,
    plan,
)
from copilot_server.engine.memory import memory_errors
from copilot_server.engine.runner import Chunk, Drawn, check_token_ids
from copilot_server.errors import EngineError

#: By device type: how many tokens keep it busy, and how many drafts it verifies at little more than the cost
#: of reading the weights once.
PREFILL_CHUNKS = {"cuda": 1024, "mps": 512}
DRAFT_LENGTHS = {"cuda": 15, "mps": 7}


class TorchRunner:
    """Runs a ``Decoder``; see ``Runner``."""

    def __init__(
        self, chain: FallbackChain, cache: KvCache, *, dtype: str, kv_limit: int | None = None
    ) -> None:
        """Run the decoder of ``chain`` on ``cache``.

        ``kv_limit``: the tokens that the cache may grow to; None keeps it as it is.
        """
        decoder = chain.decoder
        self._decoder = decoder
        self._cache = cache
        self._dtype = dtype
        self._kv_limit = kv_limit or cache.tokens
        self._chain = chain
        self._chooser = Chooser(decoder, self._chain)
        most_blocks = chain.shapes.blocks(self.context_length)
        capacity = 4 * max(LONG_TOKENS, GRID_TOKENS) + GRID_TOKENS * most_blocks
        self._inputs = StaticBuffer(capacity, torch.int64, decoder.device)

    @property
    def decoder(self) -> Decoder:
        """The layers themselves, for benchmarks and checks."""
        return self._decoder

    @property
    def chain(self) -> FallbackChain:
        """The ways to run the decoder, and which one is in use."""
        return self._chain

    @property
    def cache(self) -> KvCache:
        """The KV cache, for benchmarks and checks."""
        return self._cache

    @property
    def device(self) -> str:
        """See ``Runner.device``."""
        return str(self._decoder.device)

    @property
    def dtype(self) -> str:
        """See ``Runner.dtype``."""
        return self._dtype

    @property
    def context_length(self) -> int:
        """See ``Runner.context_length``."""
        return min(self._decoder.architecture.context_length, self._kv_limit)

    @property
    def notices(self) -> Sequence[str]:
        """See ``Runner.notices``: why faster ways to run the model were given up."""
        return self._chain.notices

    @property
    def max_sequences(self) -> int:
        """See ``Runner.max_sequences``."""
        return self._cache.max_sequences

    @property
    def free_tokens(self) -> int:
        """See ``Runner.free_tokens``."""
        return self._cache.free_tokens

    @property
    def prefill_chunk(self) -> int:
        """See ``Runner.prefill_chunk``."""
        return PREFILL_CHUNKS.get(self._decoder.device.type, 256)

    @property
    def draft_length(self) -> int:
        """See ``Runner.draft_length``."""
        return DRAFT_LENGTHS.get(self._decoder.device.type, 3)

    @property
    def memory_bytes(self) -> dict[str, int]:
        """How much of the device's memory the model takes, by purpose."""
        return {"weights": self._decoder.weights.nbytes, "KV cache": self._cache.nbytes}

    def make_room(self, tokens: int) -> None:
        """Let the KV cache grow to ``tokens`` tokens, or as near to that as the device's memory allows.

        Growing invalidates everything captured, since the arrays move. The cache never shrinks.
        """
        wanted = min(tokens, self._kv_limit)
        while wanted > self._cache.tokens:
            self._chain.free_captured()
            try:
                with torch.inference_mode():
                    self._cache.grow(wanted)
            except torch.OutOfMemoryError:
                wanted //= 2

    def open(self) -> int:
        """See ``Runner.open``."""
        return self._cache.open()

    def fork(self, sequence: int, length: int) -> int:
        """See ``Runner.fork``."""
        return self._cache.fork(sequence, length)

    def truncate(self, sequence: int, length: int) -> None:
        """See ``Runner.truncate``."""
        self._cache.truncate(sequence, length)

    def close(self, sequence: int) -> None:
        """See ``Runner.close``."""
        self._cache.close(sequence)

    def step(self, chunks: Sequence[Chunk]) -> list[list[Drawn]]:
        """See ``Runner.step``."""
        starts = [self._cache.length(chunk.sequence) for chunk in chunks]
        self._check_lengths(chunks, starts)
        check_token_ids(chunks, self._decoder.architecture.vocab_size)
        with torch.inference_mode(), memory_errors():
            self._cache.reserve([(chunk.sequence, len(chunk.token_ids)) for chunk in chunks])
            try:
                return self._chain.attempt(lambda: self._run_parts(chunks, starts))
            except BaseException:
                for chunk, start in zip(chunks, starts, strict=True):
                    self._cache.truncate(chunk.sequence, start)
                raise

    def release(self) -> None:
        """See ``Runner.release``; torch's allocator gives the memory back to the device."""
        device = self._decoder.device
        self._chain.graphs.clear()
        del self._chain, self._chooser, self._inputs, self._cache, self._decoder
        free_unused_memory(device)

    def _check_lengths(self, chunks: Sequence[Chunk], starts: Sequence[int]) -> None:
        longest = max((start + len(c.token_ids) for c, start in zip(chunks, starts, strict=True)), default=0)
        if longest > self.context_length:
            msg = f"A sequence of {longest} tokens is too long for a window of {self.context_length}."
            raise EngineError(msg, remedy="Lower completion.max_prompt_tokens or completion.max_new_tokens.")

    def _run_parts(self, chunks: Sequence[Chunk], starts: Sequence[int]) -> list[list[Drawn]]:
        return [drawn for part in _parts(chunks, starts) for drawn in self._run(*part)]

    def _run(self, chunks: Sequence[Chunk], starts: Sequence[int]) -> list[list[Drawn]]:
        for one in plan(list(pieces_of(chunks, starts)), self._chain.shapes):
            if isinstance(one, Grid):
                self._append_grid(one)
            else:
                self._append_long(one)
        drawn = iter(self._chooser.choose([choice for chunk in chunks for choice in chunk.choices]))
        return [[next(drawn) for _ in chunk.choices] for chunk in chunks]

    def _append_grid(self, grid: Grid) -> None:
        numbers = self._inputs.send(grid_numbers(grid, self._cache, UNCHOSEN))
        inputs = GridInputs.of(numbers, grid)

        def append() -> None:
            attend = self._decoder.kernels.grid_attention(inputs, self._decoder.dtype)
            self._append(inputs, attend)

        self._chain.run(("append", grid.rows, grid.width, grid.blocks), append)

    def _append_long(self, long: Long) -> None:
        numbers = self._inputs.send(long_numbers(long, self._cache, UNCHOSEN))
        inputs = LongInputs.of(numbers, long)
        self._append(inputs, LongAttention(inputs.segments))

    def _append(self, inputs: GridInputs | LongInputs, attend: Attention) -> None:
        hidden = self._decoder.append(
            inputs.token_ids, inputs.positions, inputs.store_at, self._cache.layers, attend
        )
        self._chooser.hidden[inputs.chosen_at] = hidden


def _parts(chunks: Sequence[Chunk], starts: Sequence[int]) -> Iterator[tuple[Sequence[Chunk], Sequence[int]]]:
    """The chunks in order, in groups of at most ``CHOICES`` choices."""
    first = choices = 0
    for index, chunk in enumerate(chunks):
        if choices + len(chunk.choices) > CHOICES:
            yield chunks[first:index], starts[first:index]
            first, choices = index, 0
        choices += len(chunk.choices)
    yield chunks[first:], starts[first:]
