"""The KV cache's pages: which sequence has which, and which are free."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from copilot_server.engine.backends.cpu.library import PAGE
from copilot_server.errors import EngineError


@dataclass(slots=True)
class _Sequence:
    length: int = 0
    pages: list[int] = field(default_factory=list)


class PagePool:
    """Pages of 16 tokens, shared by sequences that begin alike and copied when one of them goes on.

    Source: the paged KV cache of Kwon et al. 2023, arXiv:2309.06180.

    ``tables``: (max_sequences, pages of the longest sequence), each open sequence's pages in order.
    """

    def __init__(self, pages: int, max_sequences: int, context_length: int) -> None:
        self.tables: npt.NDArray[np.int32] = np.zeros((max_sequences, -(-context_length // PAGE)), np.int32)
        # The last freed is the first used again, so that memory never touched stays with the system.
        self._free = list(range(pages - 1, -1, -1))
        self._users = [0] * pages
        self._unused = list(range(max_sequences - 1, -1, -1))
        self._sequences: dict[int, _Sequence] = {}

    @property
    def free_tokens(self) -> int:
        """How many tokens the free pages have room for."""
        return len(self._free) * PAGE

    def length(self, number: int) -> int:
        """How many tokens a sequence has."""
        return self._sequences[number].length

    def open(self) -> int:
        """Begin an empty sequence.

        Raises:
            EngineError: as many as there can be are open.
        """
        if not self._unused:
            raise EngineError("Too many sequences are open.", remedy="Ask for fewer completions at once.")
        number = self._unused.pop()
        self._sequences[number] = _Sequence()
        return number

    def fork(self, number: int, length: int) -> int:
        """Begin a sequence with the pages of the first ``length`` tokens of another."""
        copy = self.open()
        pages = self._sequences[number].pages[: -(-length // PAGE)]
        self._take(copy, pages)
        self._sequences[copy].length = length
        for page in pages:
            self._users[page] += 1
        return copy

    def truncate(self, number: int, length: int) -> None:
        """Let go of what lies behind the first ``length`` tokens."""
        sequence = self._sequences[number]
        sequence.length = length
        while len(sequence.pages) > -(-length // PAGE):
            self._release(sequence.pages.pop())

    def close(self, number: int) -> None:
        """Let go of a sequence."""
        self.truncate(number, 0)
        del self._sequences[number]
        self._unused.append(number)

    def extend(self, number: int, tokens: int) -> tuple[int, int] | None:
        """Make room for more tokens of a sequence.

        Returns:
            The page to copy and the one to copy it to first, where the last page is another's too.

        Raises:
            EngineError: there are not enough free pages; nothing has changed then.
        """
        sequence = self._sequences[number]
        end = sequence.length + tokens
        shared = sequence.length % PAGE != 0 and self._users[sequence.pages[-1]] > 1
        missing = -(-end // PAGE) - len(sequence.pages)
        if missing + shared > len(self._free):
            msg = f"The KV cache is full: {self.free_tokens} tokens are free, {tokens} are needed."
            raise EngineError(msg, remedy="Ask for fewer completions at once.")
        copied = self._unshare(number) if shared else None
        self._take(number, [self._new() for _ in range(missing)])
        sequence.length = end
        return copied

    def _unshare(self, number: int) -> tuple[int, int]:
        pages = self._sequences[number].pages
        old, new = pages.pop(), self._new()
        self._release(old)
        self._take(number, [new])
        return old, new

    def _take(self, number: int, pages: list[int]) -> None:
        held = self._sequences[number].pages
        self.tables[number, len(held) : len(held) + len(pages)] = pages
        held += pages

    def _new(self) -> int:
        page = self._free.pop()
        self._users[page] = 1
        return page

    def _release(self, page: int) -> None:
        self._users[page] -= 1
        if self._users[page] == 0:
            self._free.append(page)
