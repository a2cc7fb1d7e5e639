"""A runner that a test watches: it has tighter limits, records its steps, and checks every rule."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count, islice

from copilot_server.engine.runner import Chunk, Drawn, Runner
from copilot_server.errors import EngineError


@dataclass(frozen=True)
class Limits:
    """Limits that are tighter than the runner's own; None keeps the runner's."""

    max_sequences: int | None = None
    max_tokens: int | None = None
    prefill_chunk: int | None = None
    draft_length: int | None = None
    #: The step that fails, counted from 0, as one fails for which there is no memory.
    fails_at: int | None = None


class WatchedRunner:
    """Does what ``inner`` does. A call that the protocol forbids fails the test.

    ``steps``: the chunks of each step, and the tokens sampled after each of them.
    """

    def __init__(self, inner: Runner, limits: Limits) -> None:
        self._inner = inner
        self._limits = limits
        self.steps: list[list[tuple[Chunk, list[Drawn]]]] = []
        # The cells of the KV cache that each open sequence uses; a fork shares those of its original.
        self._cells: dict[int, list[int]] = {}
        self._unused = count()

    device = property(lambda self: self._inner.device)
    notices = property(lambda self: self._inner.notices)
    dtype = property(lambda self: self._inner.dtype)
    context_length = property(lambda self: self._inner.context_length)
    max_sequences = property(lambda self: self._limit("max_sequences"))
    prefill_chunk = property(lambda self: self._limit("prefill_chunk"))
    draft_length = property(lambda self: self._limit("draft_length"))

    @property
    def free_tokens(self) -> int:
        most = self._limits.max_tokens
        return self._inner.free_tokens if most is None else most - len(set().union(*self._cells.values()))

    @property
    def lengths(self) -> dict[int, int]:
        """The number of tokens of each open sequence."""
        return {sequence: len(cells) for sequence, cells in self._cells.items()}

    def open(self) -> int:
        return self._opened(self._inner.open(), [])

    def fork(self, sequence: int, length: int) -> int:
        assert 0 <= length <= len(self._cells[sequence])
        return self._opened(self._inner.fork(sequence, length), self._cells[sequence][:length])

    def truncate(self, sequence: int, length: int) -> None:
        assert 0 <= length <= len(self._cells[sequence])
        self._inner.truncate(sequence, length)
        del self._cells[sequence][length:]

    def close(self, sequence: int) -> None:
        del self._cells[sequence]
        self._inner.close(sequence)

    def step(self, chunks: Sequence[Chunk]) -> list[list[Drawn]]:
        assert chunks
        assert len({chunk.sequence for chunk in chunks}) == len(chunks)
        assert all(chunk.token_ids and len(chunk.choices) <= len(chunk.token_ids) for chunk in chunks)
        assert sum(len(chunk.token_ids) for chunk in chunks) <= self.free_tokens
        if len(self.steps) == self._limits.fails_at:
            self.steps.append([])
            raise EngineError("There is no memory for this step.")
        drawn = self._inner.step(chunks)
        assert [len(tokens) for tokens in drawn] == [len(chunk.choices) for chunk in chunks]
        for chunk in chunks:
            self._cells[chunk.sequence] += islice(self._unused, len(chunk.token_ids))
        self.steps.append(list(zip(chunks, drawn, strict=True)))
        return drawn

    def release(self) -> None:
        assert not self._cells
        self._inner.release()

    def _opened(self, sequence: int, cells: list[int]) -> int:
        assert sequence not in self._cells
        self._cells[sequence] = cells
        assert len(self._cells) <= self.max_sequences
        return sequence

    def _limit(self, name: str) -> int:
        ours = getattr(self._limits, name)
        return getattr(self._inner, name) if ours is None else ours
