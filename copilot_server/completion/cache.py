"""Answers that need no model: the same place again, or what was suggested being typed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from threading import Lock

from cachetools import LRUCache

from copilot_server.completion.types import Candidate, Completion
from copilot_server.context.closers import may_be_inserted
from copilot_server.context.document import Cursor

#: Places remembered. A place takes a few hundred bytes and the text suggested there.
CAPACITY = 512
#: How far behind the cursor a suggestion can have been made and still be typed through, in code points.
MAX_TYPED = 4096


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a completion was made; what is far from the cursor by its hash, so that a file is not kept.

    ``below`` is the hash of what follows the cursor's line.
    """

    uri: str
    language_id: str
    offset: int
    prefix: int
    line_suffix: str
    below: int


class CompletionCache:
    """Completions by place, the least recently used forgotten first. Safe to use from any thread."""

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._completions: LRUCache[_Place, Completion] = LRUCache(capacity)
        self._lock = Lock()
        #: The cursor asked about last: who finds nothing there will have something to store.
        self._last: tuple[Cursor, _Place] | None = None

    def store(self, cursor: Cursor, completion: Completion) -> None:
        """Remember a completion, unless it was cut short."""
        if completion.cancelled:
            return
        place = self._place(cursor)
        with self._lock:
            self._completions[place] = completion

    def lookup(self, cursor: Cursor) -> Completion | None:
        """The completion made here, or the rest of one whose beginning has been typed since.

        Accepting what is found gives the very document that was suggested when it was made, but for blanks
        at the ends of lines. Its source is "ahead" if it was made before anyone asked, else "cache".
        """
        here = self._place(cursor)
        with self._lock:
            found = self._completions.get(here) or next(self._typed_through(cursor, here), None)
        if found is None:
            return None
        return replace(found, source="ahead" if found.source == "ahead" else "cache")

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._completions.clear()

    def _place(self, cursor: Cursor) -> _Place:
        """Give the place of ``cursor``, whose document is read through for it, but once."""
        last = self._last
        if last is None or last[0] is not cursor:
            self._last = last = cursor, _place(cursor)
        return last[1]

    def _typed_through(self, cursor: Cursor, here: _Place) -> Iterator[Completion]:
        text = cursor.document.text
        places = [place for place in self._completions if _may_lead_to(place, here)]
        for place in sorted(places, key=lambda place: place.offset, reverse=True):
            completion = self._completions[place]
            typed = text[place.offset : cursor.offset]
            rests = (_rest_of(candidate, typed, place, here) for candidate in completion.candidates)
            left = tuple(rest for rest in rests if rest is not None)
            if left and place.prefix == hash(text[: place.offset]):
                yield replace(completion, candidates=left)


def _place(cursor: Cursor) -> _Place:
    document, line_suffix = cursor.document, cursor.line_suffix
    below = hash(document.text[cursor.offset + len(line_suffix) :])
    return _Place(document.uri, document.language_id, cursor.offset, hash(cursor.prefix), line_suffix, below)


def _may_lead_to(place: _Place, here: _Place) -> bool:
    return (
        place.below == here.below
        and 0 < here.offset - place.offset <= MAX_TYPED
        and (place.uri, place.language_id) == (here.uri, here.language_id)
    )


def _rest_of(candidate: Candidate, typed: str, place: _Place, here: _Place) -> Candidate | None:
    """Return what is left of a candidate of ``place`` after ``typed``; None if nothing, or not that, is left.

    What followed the cursor on its line is still there, or the editor has put closers in before it, or some
    of it has been typed over.
    """
    rest = _rest(candidate.text, typed)
    inserted = len(here.line_suffix) - len(place.line_suffix)
    replaced = candidate.replaced + inserted
    if rest is None or replaced < 0 or not _is_kept(place.line_suffix, here.line_suffix):
        return None
    if inserted > 0 and not _closes(rest, here.line_suffix[:inserted], here.language_id):
        return None
    if rest.strip() in ("", here.line_suffix[:replaced].strip()):
        return None
    return replace(candidate, text=rest, replaced=replaced)


def _rest(suggested: str, typed: str) -> str | None:
    """Return what of ``suggested`` follows ``typed``, blanks at line ends aside; None if they differ."""
    if suggested.startswith(typed):
        return suggested[len(typed) :]
    *whole, begun = typed.split("\n")
    lines = suggested.split("\n")
    if not whole or len(lines) <= len(whole):
        return None
    if any(one.rstrip() != other.rstrip() for one, other in zip(whole, lines, strict=False)):
        return None
    line, *following = lines[len(whole) :]
    if line.startswith(begun):
        left = line.removeprefix(begun)
    elif not line.strip() and not begun.strip():  # the editor has indented a line that is to stay blank
        left = line.lstrip(" \t")
    else:
        return None
    return "\n".join([left, *following])


def _is_kept(before: str, now: str) -> bool:
    return before.endswith(now) or now.endswith(before)


def _closes(rest: str, inserted: str, language: str) -> bool:
    """Whether ``inserted`` is closers that ``rest`` writes too, in the same order."""
    following = iter(rest)
    return may_be_inserted(inserted, language) and all(closer in following for closer in inserted)
