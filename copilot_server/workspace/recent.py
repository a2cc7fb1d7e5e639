"""The places that somebody edited last in the open documents, as their text is now."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace

from copilot_server.context.common import common_prefix, common_suffix
from copilot_server.workspace.types import Snippet

#: How many places are remembered. Edits so many lines apart are at one place.
MOST_PLACES, TOGETHER = 8, 3
#: A place has at most so many lines. A change of more lines was not typed: a formatter made it, or git.
MOST_LINES = 12
#: How many lines are shown around the edited ones.
AROUND = 1
#: Places so many lines above and below the cursor are not shown: the prompt has them already.
NEAR_ABOVE, NEAR_BELOW = 120, 40
#: How many places are shown, the last ones.
SHOWN = 2


@dataclass(frozen=True, slots=True)
class _Place:
    """The lines of a document from ``first`` up to ``end``, exclusive, that were edited, counted from 0."""

    path: str
    first: int
    end: int


@dataclass(frozen=True, slots=True)
class _Change:
    """Lines ``first`` up to ``old_end``, exclusive, have become those up to ``new_end``."""

    first: int
    old_end: int
    new_end: int

    @property
    def is_typed(self) -> bool:
        return max(self.old_end, self.new_end) - self.first <= MOST_LINES


class RecentEdits:
    """Follows the edits of all open documents. It is safe to use from any thread.

    A key costs the comparison of two texts. Nothing depends on the time: edits that follow each other at one
    place are one, however long that takes.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._places: list[_Place] = []
        self._pieces: dict[_Place, tuple[str, str]] = {}

    def changed(self, path: str, before: str, after: str) -> None:
        """Note that the text ``before`` of a document has become the text ``after``."""
        change = _change(before, after)
        if change is None:
            return
        with self._lock:
            kept = (_after(one, change) if one.path == path else one for one in self._places)
            places = [one for one in kept if one is not None]
            if change.is_typed:
                edited = _Place(path, change.first, change.new_end)
                joined = [one for one in places if _are_together(one, edited)]
                places = [one for one in places if one not in joined]
                places.append(_join(edited, joined))
            self._places = places[-MOST_PLACES:]

    def closed(self, path: str) -> None:
        """Forget the edits of a document: without it nobody knows whether they were kept."""
        with self._lock:
            self._places = [one for one in self._places if one.path != path]

    def snippets(
        self, path: str, line: int, room: int, text_of: Callable[[str], str | None]
    ) -> tuple[Snippet, ...]:
        """Return the last places that are not near a cursor, the oldest first.

        ``path`` and ``line``: the cursor's. ``room``: the most code points of all together. ``text_of``: the
        text of an open document; None for one that must not be shown.
        """
        with self._lock:
            places = list(reversed(self._places))
        shown: list[Snippet] = []
        for one in places:
            is_near = one.path == path and line - NEAR_ABOVE <= one.end and one.first <= line + NEAR_BELOW
            text = text_of(one.path) if not is_near else None
            piece = self._piece(one, text) if text is not None else ""
            if piece and len(piece) <= room:
                room -= len(piece)
                shown.append(Snippet(one.path, piece, 1.0, kind="edited"))
            if len(shown) == SHOWN:
                break
        return tuple(reversed(shown))

    def _piece(self, place: _Place, text: str) -> str:
        """Return the lines of a place, which are looked for again only when the text has changed."""
        known, piece = self._pieces.get(place, ("", ""))
        if known is not text:
            piece = _lines(text, place)
            with self._lock:
                self._pieces = {one: it for one, it in self._pieces.items() if one in self._places}
                self._pieces[place] = text, piece
        return piece


def _change(before: str, after: str) -> _Change | None:
    """Return which lines differ between two texts; None if they are equal."""
    start = common_prefix(before, after)
    kept = common_suffix(before, after, min(len(before), len(after)) - start)
    gone, new = before[start : len(before) - kept], after[start : len(after) - kept]
    if not gone and not new:
        return None
    first = after.count("\n", 0, start)
    return _Change(first, first + gone.count("\n") + 1, first + new.count("\n") + 1)


def _after(one: _Place, change: _Change) -> _Place | None:
    """Return where a place of the changed document is now; None if a program has replaced its lines."""
    added = change.new_end - change.old_end
    if one.end <= change.first:
        return one
    if one.first >= change.old_end:
        return replace(one, first=one.first + added, end=one.end + added)
    if not change.is_typed:
        return None
    return replace(one, first=min(one.first, change.first), end=max(one.end + added, change.new_end))


def _are_together(one: _Place, other: _Place) -> bool:
    is_apart = one.end + TOGETHER < other.first or other.end + TOGETHER < one.first
    return one.path == other.path and not is_apart


def _join(edited: _Place, others: list[_Place]) -> _Place:
    """Return one place with all lines, or those nearest to the ones that were ``edited`` just now."""
    first = min([edited.first, *(one.first for one in others)])
    end = max([edited.end, *(one.end for one in others)])
    if end - first <= MOST_LINES:
        return replace(edited, first=first, end=end)
    spare = (MOST_LINES - (edited.end - edited.first)) // 2
    first = max(first, edited.first - spare)
    return replace(edited, first=first, end=min(end, first + MOST_LINES))


def _lines(text: str, place: _Place) -> str:
    """Return the lines of a place and around it; "" if there is nothing."""
    lines = text.split("\n")
    edited = [line.rstrip() for line in lines[max(0, place.first - AROUND) : place.end + AROUND]]
    is_blank = not any(line.strip() for line in lines[place.first : place.end])
    return "" if is_blank else "\n".join(edited).strip("\n")
