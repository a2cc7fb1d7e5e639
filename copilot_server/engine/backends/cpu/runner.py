"""The runner on a CPU: this project's own kernels over int8 weights and a paged KV cache."""

from __future__ import annotations

import ctypes
import weakref
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from copilot_server.engine.backends.cpu import library as c
from copilot_server.engine.backends.cpu.model import build_model, table_width
from copilot_server.engine.backends.cpu.tuning import Tuning
from copilot_server.engine.backends.cpu.weights import Weights
from copilot_server.engine.decoding.sampling import choose_token
from copilot_server.engine.paging import BlockAllocator
from copilot_server.engine.runner import Choice, Chunk, Drawn, not_finite, outside_vocabulary

Array = npt.NDArray[Any]


#: More drafts in one step are never worthwhile: text that repeats so far is rare.
MOST_DRAFTS = 23


class CpuRunner:
    """Implements ``engine.runner.Runner``.

    The results of a sequence are the same to the last bit whatever runs beside it and however its tokens are
    cut into chunks (``kernels/matmul.h``, ``kernels/attention.h``).
    """

    def __init__(  # noqa: PLR0913
        self,
        weights: Weights,
        *,
        threads: int,
        cache_tokens: int,
        max_sequences: int,
        draft_length: int = MOST_DRAFTS,
        tuning: Tuning | None = None,
    ) -> None:
        self._library = c.load_library()
        self._weights = weights
        pages = -(-cache_tokens // c.PAGE_TOKENS)
        self._sequences = BlockAllocator(
            block_count=pages,
            block_size=c.PAGE_TOKENS,
            max_sequences=max_sequences,
            max_length=weights.architecture.context_length,
        )
        # Row i: the pages of sequence i, in order; updated when a step needs it.
        self._tables = np.zeros((max_sequences, table_width(weights.architecture, pages)), np.int32)
        self._draft_length = draft_length
        self._tuning = tuning
        self._model, self._owned = build_model(weights, pages)
        self._threads = threads
        self._workers = self._library.pool_open(threads)
        self._stop_workers = weakref.finalize(self, self._library.pool_close, self._workers)
        self._scratch = np.empty(0, np.uint8)
        self._logits = np.empty((0, self._model.head.outputs), np.float32)

    @property
    def device(self) -> str:
        """``cpu``."""
        return "cpu"

    @property
    def dtype(self) -> str:
        """The number format of the weights."""
        return self._weights.dtype

    @property
    def context_length(self) -> int:
        """The most tokens that a sequence can have."""
        return self._weights.architecture.context_length

    @property
    def instruction_set(self) -> str:
        """The instruction set that the kernels use: one of those of ``kernels/isa.h``, such as ``avx2``."""
        return str(self._library.decoder_isa().decode())

    @property
    def threads(self) -> int:
        """How many threads compute."""
        return self._threads

    @property
    def max_sequences(self) -> int:
        """How many sequences can be open at once."""
        return self._sequences.max_sequences

    @property
    def free_tokens(self) -> int:
        """How many more tokens the KV cache has room for."""
        return self._sequences.free_tokens

    @property
    def prefill_chunk(self) -> int:
        """How many prompt tokens are best read in one step."""
        return 192

    @property
    def draft_length(self) -> int:
        """The most drafted tokens that a step may verify."""
        return self._draft_length

    @property
    def reading_speed_tok_s(self) -> float | None:
        """How fast it reads a new prompt, in tokens per second; None if it has not been tuned."""
        return self._tuning.reading_speed_tok_s if self._tuning else None

    @property
    def step_times_s(self) -> tuple[float, float] | None:
        """See ``TunedRunner``."""
        return self._tuning.step_times_s if self._tuning else None

    @property
    def notices(self) -> Sequence[str]:
        """See ``Runner.notices``."""
        return ()

    def open(self) -> int:
        """See ``Runner.open``."""
        return self._sequences.open()

    def fork(self, sequence: int, length: int) -> int:
        """See ``Runner.fork``; shares pages, of which a later step copies at most one."""
        return self._sequences.fork(sequence, length)

    def truncate(self, sequence: int, length: int) -> None:
        """See ``Runner.truncate``."""
        self._sequences.truncate(sequence, length)

    def close(self, sequence: int) -> None:
        """See ``Runner.close``."""
        self._sequences.close(sequence)

    def release(self) -> None:
        """See ``Runner.release``: the threads end, and the arrays are freed with their last reference."""
        self._stop_workers()
        self._model = c.Model()  # which the kernels refuse
        self._owned.clear()
        self._weights = replace(self._weights, tensors={})
        self._tables = np.zeros((0, 0), np.int32)
        self._logits, self._scratch = np.empty((0, 0), np.float32), np.empty(0, np.uint8)

    def step(self, chunks: Sequence[Chunk]) -> list[list[Drawn]]:
        """See ``Runner.step``. When it raises, every sequence is as it was before.

        Raises:
            EngineError: the KV cache has no room, a sequence would exceed the context window, a token is not
                in the model's vocabulary, or the model computes numbers that are not finite.
        """
        token_ids, wanted = self._token_ids(chunks), _wanted_rows(chunks)
        self._grow_buffers(len(token_ids), len(wanted))
        lengths = [self._sequences.length(chunk.sequence) for chunk in chunks]
        self._reserve(chunks)
        try:
            return self._draw(chunks, *self._compute(chunks, lengths, token_ids, wanted))
        except BaseException:
            for chunk, length in zip(chunks, lengths, strict=True):
                self._sequences.truncate(chunk.sequence, length)
            raise

    def _token_ids(self, chunks: Sequence[Chunk]) -> Array:
        """The tokens of all chunks, checked to be in the vocabulary."""
        token_ids = np.array([id_ for chunk in chunks for id_ in chunk.token_ids], np.int64)
        size = self._weights.architecture.vocab_size
        outside = token_ids[(token_ids < 0) | (token_ids >= size)]
        if len(outside):
            raise outside_vocabulary(int(outside[0]), size)
        return token_ids.astype(np.int32)

    def _grow_buffers(self, tokens: int, wanted: int) -> None:
        """Enlarge the scratch memory and the logits as far as a step needs."""
        if wanted > len(self._logits):
            self._logits = np.empty((wanted, self._model.head.outputs), np.float32)
        needed = self._library.decoder_scratch_bytes(ctypes.byref(self._model), tokens)
        if needed > self._scratch.nbytes:
            self._scratch = np.empty(needed, np.uint8)

    def _reserve(self, chunks: Sequence[Chunk]) -> None:
        """Make room in the KV cache for all chunks, or raise and change nothing."""
        wanted = [(chunk.sequence, len(chunk.token_ids)) for chunk in chunks]
        for source, target in self._sequences.reserve(wanted):
            self._library.decoder_copy_page(ctypes.byref(self._model), source, target)
        for chunk in chunks:
            pages = self._sequences.blocks(chunk.sequence)
            self._tables[chunk.sequence, : len(pages)] = pages

    def _compute(
        self, chunks: Sequence[Chunk], lengths: Sequence[int], token_ids: Array, wanted: Array
    ) -> tuple[Array, Array]:
        """Run the kernels; return each wanted row's likeliest token and log of its sum of exponentials."""
        counts = [len(chunk.token_ids) for chunk in chunks]
        rows = np.repeat(np.array([chunk.sequence for chunk in chunks], np.int32), counts)
        spans = [range(start, start + count) for start, count in zip(lengths, counts, strict=True)]
        positions = np.array([position for span in spans for position in span], np.int32)
        best, log_total = np.empty(len(wanted), np.int32), np.empty(len(wanted), np.float32)
        arrays = (token_ids, positions, rows, self._tables, wanted, self._logits, best, log_total)
        pointers = [array.ctypes.data for array in arrays]
        sizes = tuple(array.nbytes for array in arrays)
        sequences, width = self._tables.shape
        step = c.Step(len(token_ids), width, len(wanted), sequences, *pointers, sizes)
        scratch = (self._scratch.ctypes.data, self._scratch.nbytes)
        self._library.decoder_step(ctypes.byref(self._model), ctypes.byref(step), *scratch, self._workers)
        if not np.isfinite(log_total).all():
            raise not_finite(self.dtype)
        return best, log_total

    def _draw(self, chunks: Sequence[Chunk], best: Array, log_total: Array) -> list[list[Drawn]]:
        rows = iter(range(len(best)))
        return [
            [
                self._draw_one(choice, row, int(best[row]), float(log_total[row]))
                for choice, row in zip(chunk.choices, rows, strict=False)
            ]
            for chunk in chunks
        ]

    def _draw_one(self, choice: Choice, row: int, best: int, log_total: float) -> Drawn:
        logits = self._logits[row, : self._weights.architecture.vocab_size]
        greedy = choice.temperature == 0.0 and choice.allowed is None
        token_id = best if greedy else choose_token(logits, choice)
        return Drawn(token_id, float(logits[token_id]) - log_total)


def _wanted_rows(chunks: Sequence[Chunk]) -> Array:
    """Which of a step's tokens are followed by a choice: the last ones of each chunk."""
    rows: list[int] = []
    end = 0
    for chunk in chunks:
        if len(chunk.choices) > len(chunk.token_ids):
            raise ValueError("a chunk has more choices than tokens")
        end += len(chunk.token_ids)
        rows += range(end - len(chunk.choices), end)
    return np.array(rows, np.int32)
