"""The similar code for each document's cursor, remembered while somebody types on a line."""

from __future__ import annotations

import threading
from dataclasses import dataclass

from cachetools import LRUCache

from copilot_server.workspace.index import Index
from copilot_server.workspace.similar.search import Around, Found, MayRead, find
from copilot_server.workspace.types import Snippet

#: How many documents are remembered.
_DOCUMENTS = 8


@dataclass(frozen=True, slots=True)
class _Answer:
    """What was found, and what that depended on."""

    around: Around
    version: tuple[int, ...]
    found: Found | None


class SimilarCode:
    """Searches when the text outside of the cursor's line has changed. It is safe to use from any thread."""

    def __init__(self, index: Index, room: int, may_read: MayRead) -> None:
        """``room``: the most code points that are shown. ``may_read``: whether a file may be, by its path."""
        self._index = index
        self._room = room
        self._may_read = may_read
        self._lock = threading.Lock()
        self._answers: LRUCache[str, _Answer] = LRUCache(_DOCUMENTS)

    def at(self, around: Around) -> tuple[Snippet, ...]:
        """Return the code of another file that is like that around a cursor; often none."""
        version = self._index.version()
        with self._lock:
            last = self._answers.get(around.path)
        if last is None or (last.around, last.version) != (around, version):
            earlier = last.found if last is not None else None
            found = find(around, self._index, self._room, self._may_read, earlier) if self._room else None
            last = _Answer(around, version, found)
            with self._lock:
                self._answers[around.path] = last
        return () if last.found is None else (last.found.snippet,)
