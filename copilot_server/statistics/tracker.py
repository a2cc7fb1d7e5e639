"""Infers what becomes of suggestions from edits, requests and time, and from what the editor reports."""

from __future__ import annotations

import math
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from cachetools import LRUCache

from copilot_server.context.units import code_points_in
from copilot_server.statistics.ghost import Step
from copilot_server.statistics.life import Life
from copilot_server.statistics.types import (
    MAX_NAME,
    Edit,
    Item,
    Offer,
    Suggestion,
    SuggestionCounts,
)

#: A suggestion that was on offer this long counts as seen: it is about a person's reaction time.
SEEN_AFTER_S = 0.25
#: A suggestion that is offered again at its position within this time is the same one.
RESUME_WITHIN_S = 60.0

#: The bounds of what is held in memory.
MAX_DOCUMENTS = 64
MAX_LIVES = 64
MAX_RESUMABLE = 16
MAX_ITEMS = 1024


class Sink(Protocol):
    """Receives the rows. Neither method may block."""

    def add(self, suggestion: Suggestion) -> None:
        """Save a new row."""
        ...

    def update(self, suggestion: Suggestion) -> None:
        """Save the outcomes of a row that was added."""
        ...


@dataclass(frozen=True, slots=True)
class _Offered:
    """What an item's id refers to: a suggestion, from its code point ``base`` on."""

    life: Life
    item: Item
    base: int


class _Document:
    """One open document: the suggestions on offer there, and those that may return or are to be checked."""

    def __init__(self) -> None:
        self.group: list[Life] = []
        self.lives: list[Life] = []

    def keep(self, life: Life) -> None:
        """Add a new life; if there are too many, drop the oldest one that is not on offer."""
        self.lives.append(life)
        if len(self.lives) > MAX_LIVES:
            oldest = next((old for old in self.lives if old not in self.group), self.lives[0])
            self.lives.remove(oldest)

    def find(self, offer: Offer, item: Item, now_s: float) -> Life | None:
        """Return the suggestion that ``item`` offers again; None if it is a new one."""
        for life in reversed(self.lives[-MAX_RESUMABLE:]):
            recent = life in self.group or now_s - life.left_s <= RESUME_WITHIN_S
            if recent and life.is_offered_by(offer, item):
                return life
        return None


class Tracker:
    """Follows suggestions through the documents of one editor. It is for one thread, and never blocks.

    ``changed`` is called at every key. It costs a dictionary lookup where no suggestion is on offer;
    elsewhere its cost grows with the length of the suggestion and of the edit, but not of the document.

    Each suggestion becomes one row, which is added once and updated as its outcomes become known. Ids that
    are unknown or were forgotten (``MAX_ITEMS``) are ignored.
    """

    def __init__(
        self,
        sink: Sink,
        text_of: Callable[[str], str | None],
        *,
        counts: SuggestionCounts | None = None,
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        """``text_of``: returns the text of an open document by its URI. ``clock``: monotonic, in seconds."""
        self.editor = ""
        self.counts = counts or SuggestionCounts()
        #: When ``tick`` is to be called next, on the tracker's clock; None if there is nothing to do.
        self.due_s: float | None = None
        self._sink = sink
        self._text_of = text_of
        self._clock = clock
        self._wall_clock = wall_clock
        self._documents: OrderedDict[str, _Document] = OrderedDict()
        self._items: LRUCache[str, _Offered] = LRUCache(MAX_ITEMS)
        #: If the editor reports what it shows, that is not inferred.
        self._reports_shown = False

    # The server's actions.

    def requested(self, uri: str, offset: int) -> None:
        """The editor asks for a suggestion at ``offset``, so a suggestion elsewhere is no longer on offer."""
        document = self._documents.get(uri)
        if document is None or not document.group:
            return
        ghost = document.group[0].ghost
        if ghost is None or not ghost.spans(offset):
            self._leave_all(document)

    def offered(self, offer: Offer) -> None:
        """The server answers with the items of ``offer``."""
        if not offer.items:
            return
        now_s = self._clock()
        document = self._document(offer.uri)
        lives = [self._offered(document, offer, item, now_s) for item in offer.items]
        if offer.trigger == "panel":
            return
        group = list(dict.fromkeys(lives))
        before, document.group = document.group, group
        for life in before:
            if life not in group:
                self._leave(life)
        for life in group:
            life.displayed = life is group[0]
            if life not in before:
                life.offered_s = now_s

    # The editor's actions.

    def changed(self, uri: str, edits: Sequence[Edit]) -> None:
        """The document was edited; each edit applies to the text that the one before it produced."""
        document = self._documents.get(uri)
        if document is None:
            return
        touched = [self._edit(document, edit) for edit in edits]
        if edits and not any(touched):
            self._leave_all(document)
        lost = [life for life in document.group if not life.fits]
        document.group = [life for life in document.group if life.fits]
        for life in lost:
            self._leave(life)

    def closed(self, uri: str) -> None:
        """The document was closed."""
        document = self._documents.pop(uri, None)
        if document is not None:
            self._leave_all(document)

    # The editor's reports.

    def shown(self, item_id: str) -> None:
        """The editor shows an item."""
        self._reports_shown = True
        found = self._items.get(item_id)
        if found is not None:
            found.life.show()
            self._save(found.life)

    def accepted(self, item_id: str) -> None:
        """The user has accepted an item. The edit that inserts it may come before or after this."""
        found = self._items.get(item_id)
        if found is None:
            return
        found.life.accept_rest(found.base)
        self._save_and_watch(found.life)
        self._leave_with(found.life)

    def partly_accepted(self, item_id: str, length_utf16: int) -> None:
        """The user has accepted ``length_utf16`` UTF-16 units of an item's ``insertText``, from its start."""
        found = self._items.get(item_id)
        if found is None:
            return
        text, head = found.item.text, found.item.head
        length = min(len(text), code_points_in(head + text, length_utf16) - len(head))
        if length > 0:
            found.life.accept_up_to(found.base, found.base + length, whole=length == len(text))
            self._save_and_watch(found.life)

    def dismissed(self, item_id: str) -> None:
        """The user has rejected an item, and those offered with it."""
        found = self._items.get(item_id)
        if found is not None:
            self._leave_with(found.life)

    # Time.

    def tick(self) -> None:
        """Do the checks of accepted suggestions that are due."""
        now_s = self._clock()
        for life in self._lives():
            while life.checks and life.checks[0][0] <= now_s:
                life.look(self._text_of(life.uri))
                self._save(life)
        self.due_s = min((life.checks[0][0] for life in self._lives() if life.checks), default=None)

    def close(self) -> None:
        """Close all documents. What is not known yet stays unknown."""
        for uri in list(self._documents):
            self.closed(uri)

    def _document(self, uri: str) -> _Document:
        if uri not in self._documents and len(self._documents) >= MAX_DOCUMENTS:
            self.closed(next(iter(self._documents)))
        document = self._documents.setdefault(uri, _Document())
        self._documents.move_to_end(uri)
        return document

    def _lives(self) -> list[Life]:
        return [life for document in self._documents.values() for life in document.lives]

    def _offered(self, document: _Document, offer: Offer, item: Item, now_s: float) -> Life:
        """Return the suggestion of an item, which may be a new one."""
        life = document.find(offer, item, now_s) if offer.trigger != "panel" else None
        if life is None:
            life = Life(self._row(offer, item), item.text, offer.uri, offer.offset)
            document.keep(life)
            self.counts.offered += 1
            self._sink.add(life.row)
        self._items[item.id] = _Offered(life, item, life.offer(offer, item))
        return life

    def _row(self, offer: Offer, item: Item) -> Suggestion:
        return Suggestion(
            id=secrets.randbits(62),
            offered_at_s=int(self._wall_clock()),
            editor=self.editor[:MAX_NAME],
            language=offer.language[:MAX_NAME],
            model=offer.model,
            source=offer.source,
            trigger=offer.trigger,
            latency_ms=round(offer.latency_s * 1e3, 3),
            characters=len(item.text),
            lines=item.text.count("\n") + 1,
            mean_logprob=item.mean_logprob,
            eagerness=offer.eagerness,
        )

    def _edit(self, document: _Document, edit: Edit) -> bool:
        """Follow one edit; return whether it touches the suggestions on offer."""
        first = document.group[0].ghost if document.group else None
        if first is not None and first.holds(edit):
            edit = first.smallest(edit)
        for life in document.lives:
            life.move(edit)
        followed = [(life, *life.follow(edit)) for life in document.group]
        self._take(document, [(life, step) for life, _, step in followed if step is not None])
        return any(touched for _, touched, _ in followed)

    def _take(self, document: _Document, steps: list[tuple[Life, Step]]) -> None:
        """Record the edit for one of the suggestions on offer: one that it completes, or else the first."""
        if not steps:
            return
        life, step = next((one for one in steps if one[1].complete and one[1].how == "accepted"), steps[0])
        life.take(step)
        if life.taken:
            self._save_and_watch(life)
        if step.complete:
            self._leave_all(document)

    def _leave_all(self, document: _Document) -> None:
        group, document.group = document.group, []
        for life in group:
            self._leave(life)

    def _leave(self, life: Life) -> None:
        """End the offer of a suggestion."""
        now_s = self._clock()
        life.ghost, life.left_s = None, now_s
        if life.displayed and not self._reports_shown and now_s - life.offered_s >= SEEN_AFTER_S:
            life.show()
        self._save(life)

    def _leave_with(self, life: Life) -> None:
        """End the offer of a suggestion and of those offered with it."""
        document = self._documents.get(life.uri)
        if document is not None and life in document.group:
            self._leave_all(document)

    def _save_and_watch(self, life: Life) -> None:
        document = self._documents.get(life.uri)
        if document is not None and life in document.lives:
            life.watch(self._clock())
        if life.checks:
            self.due_s = min(life.checks[0][0], self.due_s or math.inf)
        self._save(life)

    def _save(self, life: Life) -> None:
        """Save its row if the row has changed."""
        row, before = life.row, life.saved
        if row != before:
            life.saved = row
            self.counts.shown += row.shown - before.shown
            self.counts.accepted += row.accepted - before.accepted
            self._sink.update(row)
