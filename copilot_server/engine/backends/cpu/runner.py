"""The runner on a CPU: our own kernels over int8 weights and a paged KV cache."""

from __future__ import annotations

import ctypes
import weakref
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from copilot_server.engine.backends.cpu import library as c
from copilot_server.engine.backends.cpu.model import build_model
from copilot_server.engine.backends.cpu.pages import PagePool
from copilot_server.engine.backends.cpu.weights import Weights
from copilot_server.engine.decoding.sampling import choose
from copilot_server.engine.runner import Choice, Chunk, Drawn

Array = npt.NDArray[Any]


class CpuRunner:
    """Implements ``engine.runner.Runner``.

    A sequence's results are the same to the last bit whatever runs beside it and however its tokens are cut
    into chunks (``kernels/matmul.h``, ``kernels/attention.h``).
    """

    def __init__(
        self, weights: Weights, *, threads: int, cache_tokens: int, max_sequences: int, draft_length: int = 8
    ) -> None:
        self._library = c.load_library()
        self._weights = weights
        pages = -(-cache_tokens // c.PAGE)
        self._pool = PagePool(pages, max_sequences, weights.architecture.context_length)
        self._max_sequences = max_sequences
        self._draft_length = draft_length
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
    def threads(self) -> int:
        """How many threads compute."""
        return self._threads

    @property
    def max_sequences(self) -> int:
        """How many sequences can be open at once."""
        return self._max_sequences

    @property
    def free_tokens(self) -> int:
        """How many more tokens the KV cache has room for."""
        return self._pool.free_tokens

    @property
    def prefill_chunk(self) -> int:
        """Prompt tokens worth reading at once."""
        return 192

    @property
    def draft_length(self) -> int:
        """Drafted tokens that a step verifies at little more than the cost of none."""
        return self._draft_length

    @property
    def notices(self) -> Sequence[str]:
        """See ``Runner.notices``."""
        return ()

    def open(self) -> int:
        """See ``Runner.open``."""
        return self._pool.open()

    def fork(self, sequence: int, length: int) -> int:
        """See ``Runner.fork``; shares pages, and copies at most one of them, later."""
        return self._pool.fork(sequence, length)

    def truncate(self, sequence: int, length: int) -> None:
        """See ``Runner.truncate``."""
        self._pool.truncate(sequence, length)

    def close(self, sequence: int) -> None:
        """See ``Runner.close``."""
        self._pool.close(sequence)

    def step(self, chunks: Sequence[Chunk]) -> list[list[Drawn]]:
        """See ``Runner.step``."""
        positions = self._extend(chunks)
        token_ids = np.array([id_ for chunk in chunks for id_ in chunk.token_ids], np.int32)
        lengths = [len(chunk.token_ids) for chunk in chunks]
        tables = np.repeat(np.array([chunk.sequence for chunk in chunks], np.int32), lengths)
        wanted = _wanted_rows(chunks)
        best, log_total = self._compute(token_ids, positions, tables, wanted)
        return self._draw(chunks, best, log_total)

    def release(self) -> None:
        """See ``Runner.release``: the threads end, and the arrays go with the last reference to them."""
        self._stop_workers()
        self._owned.clear()
        del self._pool
        self._weights = replace(self._weights, tensors={})
        self._logits, self._scratch = np.empty((0, 0), np.float32), np.empty(0, np.uint8)

    def _extend(self, chunks: Sequence[Chunk]) -> Array:
        """Make room in the cache; the position of each token."""
        positions = []
        for chunk in chunks:
            start = self._pool.length(chunk.sequence)
            copied = self._pool.extend(chunk.sequence, len(chunk.token_ids))
            if copied is not None:
                self._library.decoder_copy_page(ctypes.byref(self._model), *copied)
            positions.append(np.arange(start, start + len(chunk.token_ids), dtype=np.int32))
        return np.concatenate(positions)

    def _compute(
        self, token_ids: Array, positions: Array, tables: Array, wanted: Array
    ) -> tuple[Array, Array]:
        """Run the kernels; the likeliest token and ln of the sum of exponentials of each wanted row."""
        if len(wanted) > len(self._logits):
            self._logits = np.empty((len(wanted), self._model.head.outputs), np.float32)
        needed = self._library.decoder_scratch(ctypes.byref(self._model), len(token_ids))
        if needed > self._scratch.nbytes:
            self._scratch = np.empty(needed, np.uint8)
        best, log_total = np.empty(len(wanted), np.int32), np.empty(len(wanted), np.float32)
        arrays = (token_ids, positions, tables, self._pool.tables, wanted, self._logits, best, log_total)
        pointers = [array.ctypes.data for array in arrays]
        step = c.Step(len(token_ids), self._pool.tables.shape[1], len(wanted), *pointers)
        scratch = self._scratch.ctypes.data
        self._library.decoder_step(ctypes.byref(self._model), ctypes.byref(step), scratch, self._workers)
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
        token_id = best if greedy else choose(logits, choice)
        return Drawn(token_id, float(logits[token_id]) - log_total)


def _wanted_rows(chunks: Sequence[Chunk]) -> Array:
    rows: list[int] = []
    end = 0
    for chunk in chunks:
        end += len(chunk.token_ids)
        rows += range(end - len(chunk.choices), end)
    return np.array(rows, np.int32)
