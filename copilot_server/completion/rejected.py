"""What the user did not want: it is not suggested again at the same position while the user types.

That holds until the lines above change, or the line itself before the position.

Suggestions are dismissed, which some editors report, or typed away: the user types something else where one
is on offer. Text that the user has just deleted is not suggested either, since that would undo the last edit.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field

from cachetools import LRUCache

from copilot_server.context.brackets import PAIRS, QUOTES
from copilot_server.context.closers import may_be_inserted
from copilot_server.context.common import common_prefix

#: The bounds of what is held in memory: documents, rejections of each, ids of items, and code points of a
#: deleted text.
MAX_DOCUMENTS, MAX_REJECTIONS, MAX_ITEMS, MAX_DELETED = 64, 64, 256, 4096

#: After one of these an editor inserts closers by itself, and this many at most.
_OPENERS = (*PAIRS, *QUOTES)
_MOST_CLOSERS = 3


@dataclass(frozen=True, slots=True)
class _Rejection:
    """``text`` is unwanted at offset ``start``, and so is its rest after up to ``reach`` code points of it.

    ``line_start`` is where the line of ``start`` begins, and ``above`` the hash of the document before
    ``start``, so that no document is kept.
    """

    start: int
    line_start: int
    above: int
    text: str
    reach: int

    def covers(self, document: str, offset: int, text: str) -> bool:
        typed = offset - self.start
        return (
            0 <= typed <= self.reach
            and document.startswith(self.text[:typed], self.start)
            and _are_same(self.text[typed:], text)
            and hash(document[: self.start]) == self.above
        )

    def outlives(self, start: int, removed: str) -> bool:
        """Whether an edit at ``start`` leaves it valid: not one of the lines above.

        What was deleted and typed again on the line itself may lead back to the same text.
        """
        return start >= self.start or (start >= self.line_start and "\n" not in removed)


@dataclass(slots=True)
class _Offer:
    """The suggestions on offer at ``start``, of which ``typed`` is in the document."""

    start: int
    line_start: int
    above: int
    texts: list[str] = field(default_factory=list)
    typed: str = ""

    def rejection(self, text: str, reach: int) -> _Rejection:
        return _Rejection(self.start, self.line_start, self.above, text, reach)


@dataclass(slots=True)
class _Deletion:
    """``text`` was deleted last. From ``start`` to ``end`` there are only blanks inserted since."""

    text: str
    start: int
    end: int

    def is_undone_by(self, document: str, offset: int, text: str) -> bool:
        if not self.start <= offset <= self.end:
            return False
        deleted, inserted = self.text.strip(), text.strip()
        if not deleted:
            # Editors remove the whole indentation of a line by themselves where it is left blank.
            return document.endswith((" ", "\t"), 0, offset) and text.startswith(self.text)
        return inserted.startswith(deleted) or deleted.startswith(inserted)


@dataclass(slots=True)
class _Document:
    offer: _Offer | None = None
    deletion: _Deletion | None = None
    rejections: deque[_Rejection] = field(default_factory=lambda: deque(maxlen=MAX_REJECTIONS))


class RejectedSuggestions:
    """Follows one editor's suggestions and edits. For one thread: the event loop's.

    Offsets are in code points. Each method costs microseconds, and ``allows`` and ``offered`` besides hash
    the document before the cursor at most once for each rejection at the position. Ids that are unknown or
    were forgotten are ignored.
    """

    def __init__(self) -> None:
        self._documents: LRUCache[str, _Document] = LRUCache(MAX_DOCUMENTS)
        self._items: LRUCache[str, tuple[str, _Offer, str]] = LRUCache(MAX_ITEMS)

    def allows(self, uri: str, document: str, offset: int, text: str) -> bool:
        """Whether to suggest ``text`` at ``offset`` of ``document`` without being asked for it."""
        known = self._documents.get(uri)
        if known is None:
            return True
        if known.deletion is not None and known.deletion.is_undone_by(document, offset, text):
            return False
        return not any(one.covers(document, offset, text) for one in known.rejections)

    def offered(self, uri: str, document: str, offset: int, items: Mapping[str, str]) -> None:
        """The editor gets ``items``, texts by their ids, to insert at ``offset``; it shows the first one."""
        first = next(iter(items.values()), None)
        if first is None:
            return
        known = self._known(uri)
        offer = known.offer
        if offer is None or not _continues(offer, document, offset, first):
            line_start = document.rfind("\n", 0, offset) + 1
            known.offer = offer = _Offer(offset, line_start, hash(document[:offset]))
            offer.texts.append(first)
        for item_id, text in items.items():
            self._items[item_id] = uri, offer, offer.typed + text

    def shown(self, item_id: str) -> None:
        """The editor shows an item, which may be another one than the first."""
        _, offer, text = self._items.get(item_id, ("", None, ""))
        if offer is not None and text not in offer.texts:
            offer.texts.append(text)

    def dismissed(self, item_id: str) -> None:
        """The user has dismissed an item."""
        if item_id not in self._items:
            return
        uri, offer, text = self._items[item_id]
        known = self._known(uri)
        known.rejections.append(offer.rejection(text, len(offer.typed)))
        if known.offer is offer:
            known.offer = None

    def changed(self, uri: str, start: int, removed: str, inserted: str) -> None:
        """``inserted`` has taken the place of ``removed`` at ``start``; the two have no common ends."""
        known = self._documents.get(uri)
        if known is None and (inserted or not removed):
            return
        known = known or self._known(uri)
        for one in [one for one in known.rejections if not one.outlives(start, removed)]:
            known.rejections.remove(one)
        if known.offer is not None:
            _follow(known, known.offer, start, removed, inserted)
        known.deletion = _deletion_after(known.deletion, start, removed, inserted)

    def closed(self, uri: str) -> None:
        """The document was closed, or is opened anew."""
        self._documents.pop(uri, None)

    def _known(self, uri: str) -> _Document:
        known = self._documents.get(uri)
        if known is None:
            self._documents[uri] = known = _Document()
        return known


def _continues(offer: _Offer, document: str, offset: int, text: str) -> bool:
    """Whether ``text`` at ``offset`` is what is on offer already, after what was typed of it."""
    at = offer.start + len(offer.typed)
    if at != offset or not document.startswith(offer.typed, offer.start):
        return False
    return any(_are_same(whole, offer.typed + text) for whole in offer.texts)


def _follow(known: _Document, offer: _Offer, start: int, removed: str, inserted: str) -> None:
    """Follow an edit: what is on offer may be typed, accepted, taken back, or typed away."""
    before = offer.typed
    if not 0 <= start - offer.start <= len(before):
        known.offer = None  # the user is elsewhere
        return
    kept = start - offer.start
    typed = before[:kept] + inserted + before[kept + len(removed) :]
    begun = _begun(typed, offer.texts)
    if begun is None:
        known.offer = None
        if not any(typed.startswith(text) for text in offer.texts):
            known.rejections.extend(offer.rejection(text, common_prefix(text, typed)) for text in offer.texts)
    elif not begun and before in offer.texts:  # it was accepted, and that was undone
        known.offer = None
        known.rejections.append(offer.rejection(before, 0))
    else:
        offer.typed = begun


def _begun(typed: str, texts: list[str]) -> str | None:
    """Return which beginning of one of ``texts`` was typed, less closers that the editor inserted."""
    for count in range(_MOST_CLOSERS + 1):
        begun, closers = typed[: len(typed) - count], typed[len(typed) - count :]
        if count and not (begun.endswith(_OPENERS) and may_be_inserted(closers)):
            continue
        if any(text.startswith(begun) for text in texts):
            return begun
    return None


def _deletion_after(last: _Deletion | None, start: int, removed: str, inserted: str) -> _Deletion | None:
    """Return what was deleted last, once ``inserted`` has taken the place of ``removed`` at ``start``.

    Deletions right before or after each other are one: editors send one for each key. Blanks that are
    inserted there leave it as it is: the user has opened a new line in place of the deleted one.
    """
    if not removed and not inserted.strip():
        if last is None or not last.text.strip() or not last.start - 1 <= start <= last.end:
            return None
        return _Deletion(last.text, min(last.start, start), last.end + len(inserted))
    if inserted:
        return None
    if last is not None and last.start == last.end == start + len(removed):
        removed = removed + last.text
    elif last is not None and last.start == last.end == start:
        removed = last.text + removed
    return _Deletion(removed[:MAX_DELETED], start, start)


def _are_same(one: str, other: str) -> bool:
    """Whether two texts are equal as far as the shorter one goes, in whole lines, blanks at ends aside."""
    lines = [line.rstrip() for line in one.rstrip().splitlines()]
    others = [line.rstrip() for line in other.rstrip().splitlines()]
    compared = min(len(lines), len(others))
    return compared > 0 and lines[:compared] == others[:compared]
