"""Answers that need no model: the same place again, or what was suggested being typed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from threading import Lock

from cachetools import LRUCache

from copilot_server.completion.types import Candidate, Completion
from copilot_server.context.document import Cursor

#: Places remembered. A place takes a few hundred bytes and the text suggested there.
CAPACITY = 512
#: How far behind the cursor a suggestion can have been made and still be typed through, in code points.
MAX_TYPED = 512


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a completion was made; the texts around it by their hashes, so that a file is not kept."""

    uri: str
    language_id: str
    offset: int
    prefix_hash: int
    suffix_hash: int


class CompletionCache:
    """Completions by place, the least recently used forgotten first. Safe to use from any thread."""

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._completions: LRUCache[_Place, Completion] = LRUCache(capacity)
        self._lock = Lock()

    def store(self, cursor: Cursor, completion: Completion) -> None:
        """Remember a completion, unless it was cut short."""
        if completion.cancelled:
            return
        with self._lock:
            self._completions[_place(cursor)] = completion

    def lookup(self, cursor: Cursor) -> Completion | None:
        """The completion made here, or the rest of one whose beginning has been typed since."""
        with self._lock:
            exact = self._completions.get(_place(cursor))
            if exact is not None:
                return replace(exact, source="cache")
            return next(self._typed_through(cursor), None)

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._completions.clear()

    def _typed_through(self, cursor: Cursor) -> Iterator[Completion]:
        places = [place for place in self._completions if _may_lead_to(place, cursor)]
        for place in sorted(places, key=lambda place: place.offset, reverse=True):
            if _stands_before(place, cursor):
                typed = cursor.document.text[place.offset : cursor.offset]
                completion = self._completions[place]
                rest = tuple(_rests(completion.candidates, typed))
                if rest:
                    yield replace(completion, candidates=rest, source="cache")


def _place(cursor: Cursor) -> _Place:
    document = cursor.document
    prefix_hash, suffix_hash = hash(cursor.prefix), hash(cursor.suffix)
    return _Place(document.uri, document.language_id, cursor.offset, prefix_hash, suffix_hash)


def _may_lead_to(place: _Place, cursor: Cursor) -> bool:
    document = cursor.document
    same_document = (place.uri, place.language_id) == (document.uri, document.language_id)
    return same_document and 0 < cursor.offset - place.offset <= MAX_TYPED


def _stands_before(place: _Place, cursor: Cursor) -> bool:
    """Whether only what was typed between them tells the two places apart."""
    text = cursor.document.text
    return place.suffix_hash == hash(cursor.suffix) and place.prefix_hash == hash(text[: place.offset])


def _rests(candidates: tuple[Candidate, ...], typed: str) -> Iterator[Candidate]:
    for candidate in candidates:
        rest = candidate.text.removeprefix(typed)
        if candidate.text.startswith(typed) and rest.strip():
            yield replace(candidate, text=rest)
