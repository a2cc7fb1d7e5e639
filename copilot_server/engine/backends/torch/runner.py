"""The runner on PyTorch: what a step does, in order."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Sequence

import torch

from copilot_server.engine.backends.torch.attention import LongAttention
from copilot_server.engine.backends.torch.chooser import CHOICES, UNCHOSEN, Chooser
from copilot_server.engine.backends.torch.cuda_graphs import Graphs
from copilot_server.engine.backends.torch.decoder import Decoder
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
    Shapes,
    pieces_of,
    plan,
)
from copilot_server.engine.backends.transformers.memory import memory_errors
from copilot_server.engine.runner import Chunk, Drawn
from copilot_server.errors import EngineError

#: By device type: the tokens that keep it busy, and the drafts whose verification costs it little more
#: than reading the weights once does.
PREFILL_CHUNKS = {"cuda": 1024, "mps": 512}
DRAFT_LENGTHS = {"cuda": 15, "mps": 7}


class TorchRunner:
    """Runs a ``Decoder``; see ``Runner``."""

    def __init__(
        self, decoder: Decoder, cache: KvCache, *, dtype: str, graphs: Graphs, shapes: Shapes
    ) -> None:
        self._decoder = decoder
        self._cache = cache
        self._dtype = dtype
        self._graphs = graphs
        self._shapes = shapes
        self._chooser = Chooser(decoder, graphs, shapes)
        most_blocks = shapes.blocks(self.context_length)
        capacity = 4 * max(LONG_TOKENS, GRID_TOKENS) + GRID_TOKENS * most_blocks
        self._inputs = StaticBuffer(capacity, torch.int64, decoder.device)

    @property
    def decoder(self) -> Decoder:
        """The model itself, for whoever measures or checks it."""
        return self._decoder

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
        return min(self._decoder.architecture.context_length, self._cache.tokens)

    @property
    def notices(self) -> Sequence[str]:
        """See ``Runner.notices``."""
        return ()

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
        with torch.inference_mode(), memory_errors():
            self._cache.reserve([(chunk.sequence, len(chunk.token_ids)) for chunk in chunks])
            try:
                return [drawn for part in _parts(chunks, starts) for drawn in self._run(*part)]
            except BaseException:
                for chunk, start in zip(chunks, starts, strict=True):
                    self._cache.truncate(chunk.sequence, start)
                raise

    def release(self) -> None:
        """See ``Runner.release``; torch's allocator gives the memory back to the device."""
        on_gpu = self._decoder.device.type == "cuda"
        del self._graphs, self._chooser, self._inputs, self._cache, self._decoder
        gc.collect()
        if on_gpu:
            torch.cuda.empty_cache()

    def _check_lengths(self, chunks: Sequence[Chunk], starts: Sequence[int]) -> None:
        longest = max((start + len(c.token_ids) for c, start in zip(chunks, starts, strict=True)), default=0)
        if longest > self.context_length:
            msg = f"A sequence of {longest} tokens is too long for a window of {self.context_length}."
            raise EngineError(msg, remedy="Lower completion.max_prompt_tokens or completion.max_new_tokens.")

    def _run(self, chunks: Sequence[Chunk], starts: Sequence[int]) -> list[list[Drawn]]:
        for one in plan(list(pieces_of(chunks, starts)), self._shapes):
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

        self._graphs.run(("append", grid.rows, grid.width, grid.blocks), append)

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
    """The chunks in order, so many at a time that their choices can be made at once."""
    first = choices = 0
    for place, chunk in enumerate(chunks):
        if choices + len(chunk.choices) > CHOICES:
            yield chunks[first:place], starts[first:place]
            first, choices = place, 0
        choices += len(chunk.choices)
    yield chunks[first:], starts[first:]
