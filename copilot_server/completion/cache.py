"""Answers that need no model: a position seen before, or a suggestion that the user is typing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from threading import Lock

from cachetools import LRUCache

from copilot_server.completion.types import Candidate, Completion
from copilot_server.context.closers import has_only_closers, may_be_inserted
from copilot_server.context.document import Cursor
from copilot_server.context.source.lexer import lex

#: How many positions are cached. Each takes a few hundred bytes and the text suggested there.
CAPACITY = 512
#: How far before the cursor a suggestion may have been made, in code points, for its rest to be offered.
MAX_TYPED = 4096


@dataclass(frozen=True, slots=True)
class _Position:
    """Where a completion was made. Text far from the cursor is kept as a hash, so that no file is kept.

    ``below`` is the hash of what follows the cursor's line.
    """

    uri: str
    language_id: str
    offset: int
    prefix: int
    line_suffix: str
    below: int


class CompletionCache:
    """The completions of the positions used most recently. Safe to use from any thread."""

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._completions: LRUCache[_Position, Completion] = LRUCache(capacity)
        self._lock = Lock()
        #: The cursor looked up last: after a miss, a completion is stored for the same cursor.
        self._last: tuple[Cursor, _Position] | None = None

    def store(self, cursor: Cursor, completion: Completion) -> None:
        """Store a completion, unless it was cancelled."""
        if completion.cancelled:
            return
        position = self._position(cursor)
        with self._lock:
            self._completions[position] = completion

    def lookup(self, cursor: Cursor) -> Completion | None:
        """Return the completion made here, or the rest of one whose beginning the user has typed since.

        Accepting it gives the document that was suggested when it was made, except for blanks at the ends of
        lines. Where closers are all that is left of it, there are no candidates. Its source is "ahead" if it
        was prefetched, else "cache".
        """
        here = self._position(cursor)
        with self._lock:
            found = self._completions.get(here) or next(self._typed_through(cursor, here), None)
        if found is None:
            return None
        return replace(found, source="ahead" if found.source == "ahead" else "cache")

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._completions.clear()

    def _position(self, cursor: Cursor) -> _Position:
        """Return the position of ``cursor``, whose document is hashed only once."""
        last = self._last
        if last is None or last[0] is not cursor:
            self._last = last = cursor, _position(cursor)
        return last[1]

    def _typed_through(self, cursor: Cursor, here: _Position) -> Iterator[Completion]:
        text = cursor.document.text
        positions = [position for position in self._completions if _may_lead_to(position, here)]
        for position in sorted(positions, key=lambda position: position.offset, reverse=True):
            completion = self._completions[position]
            typed = text[position.offset : cursor.offset]
            rests = (_rest_of(candidate, typed, position, here) for candidate in completion.candidates)
            left = tuple(rest for rest in rests if rest is not None)
            if left and position.prefix == hash(text[: position.offset]):
                worth_showing = tuple(one for one in left if not _has_only_closers(one.text, cursor))
                yield replace(completion, candidates=worth_showing)


def _position(cursor: Cursor) -> _Position:
    document, line_suffix = cursor.document, cursor.line_suffix
    below = hash(document.text[cursor.offset + len(line_suffix) :])
    return _Position(
        document.uri, document.language_id, cursor.offset, hash(cursor.prefix), line_suffix, below
    )


def _may_lead_to(position: _Position, here: _Position) -> bool:
    return (
        position.below == here.below
        and 0 < here.offset - position.offset <= MAX_TYPED
        and (position.uri, position.language_id) == (here.uri, here.language_id)
    )


def _rest_of(candidate: Candidate, typed: str, position: _Position, here: _Position) -> Candidate | None:
    """Return what is left of a candidate of ``position`` after ``typed``; None if it does not match.

    What followed the cursor on its line is still there, or the editor has inserted closers before it, or the
    user has typed over some of it.
    """
    rest = _rest(candidate.text, typed)
    inserted = len(here.line_suffix) - len(position.line_suffix)
    replaced = candidate.replaced + inserted
    if rest is None or replaced < 0 or not _is_kept(position.line_suffix, here.line_suffix):
        return None
    if inserted > 0 and not _closes(rest, here.line_suffix[:inserted], here.language_id):
        return None
    if rest.strip() in ("", here.line_suffix[:replaced].strip()):
        return None
    return replace(candidate.after(len(candidate.text) - len(rest)), text=rest, replaced=replaced)


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


def _has_only_closers(text: str, cursor: Cursor) -> bool:
    language = cursor.document.language_id
    in_string = bool(lex(cursor.line_prefix, language=language).state.quote)
    return has_only_closers(text, language, in_string=in_string)


def _is_kept(before: str, now: str) -> bool:
    return before.endswith(now) or now.endswith(before)


def _closes(rest: str, inserted: str, language: str) -> bool:
    """Whether ``inserted`` is closers that ``rest`` writes too, in the same order."""
    following = iter(rest)
    return may_be_inserted(inserted, language) and all(closer in following for closer in inserted)
