"""What the language server calls: the tracker and the store behind one object that never fails or blocks."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from copilot_server.statistics.schema import database_path
from copilot_server.statistics.store import Store
from copilot_server.statistics.tracker import Tracker
from copilot_server.statistics.types import Edit, Offer, SuggestionCounts

logger = logging.getLogger(__name__)


class Statistics:
    """Statistics of the suggestions made to one editor. Call it on the thread of the event loop.

    Every method but ``close`` returns within microseconds, and none raises: an error is logged and ends the
    statistics for the session. While statistics are switched off, nothing is tracked and nothing is written.

    A document must always have the same URI. Ids are those in the items' commands. Offsets are in code
    points.
    """

    def __init__(self, text_of: Callable[[str], str | None], path: Path | None = None) -> None:
        """``text_of``: returns the text of an open document by its URI; None if it is not open.

        ``path``: the database; None for the user's own.
        """
        self.counts = SuggestionCounts()
        self._text_of = text_of
        self._store = Store(path or database_path())
        self._editor = ""
        self._tracker: Tracker | None = None
        self._timer: asyncio.TimerHandle | None = None
        #: When the timer fires, on the monotonic clock.
        self._due_s = math.inf

    def configure(self, *, enabled: bool, editor: str = "") -> None:
        """Switch statistics, which are off at first, on or off, and name the editor."""
        self._editor = editor or self._editor
        if enabled != (self._tracker is not None):
            self._tracker = Tracker(self._store, self._text_of, counts=self.counts) if enabled else None
        if self._tracker is not None:
            self._tracker.editor = self._editor

    def requested(self, uri: str, offset: int) -> None:
        """Record that the editor asks for a suggestion. Call this when the request arrives."""
        self._call(lambda tracker: tracker.requested(uri, offset))

    def offered(self, offer: Offer) -> None:
        """Record that an answer with items is about to be sent. ``offer.document`` must be up to date."""
        self._call(lambda tracker: tracker.offered(offer))

    def changed(self, uri: str, edits: Sequence[Edit]) -> None:
        """Record that a document was edited. Call this for every change, after it was applied.

        Each edit applies to the text that the one before it produced. An editor that sends whole texts
        replaces the whole text at each key: pass ``text.minimal_edit(before, after)`` instead.
        """
        self._call(lambda tracker: tracker.changed(uri, edits))

    def closed(self, uri: str) -> None:
        """Record that a document was closed, or is no longer to be tracked."""
        self._call(lambda tracker: tracker.closed(uri))

    def shown(self, item_id: str) -> None:
        """Record that the editor shows an item (``didShowCompletion``, ``notifyShown``)."""
        self._call(lambda tracker: tracker.shown(item_id))

    def accepted(self, item_id: str) -> None:
        """Record that the user has accepted an item (its command, ``notifyAccepted``)."""
        self._call(lambda tracker: tracker.accepted(item_id))

    def partly_accepted(self, item_id: str, length_utf16: int) -> None:
        """Record how much of an item's ``insertText`` the user has accepted (``didPartiallyAccept...``)."""
        self._call(lambda tracker: tracker.partly_accepted(item_id, length_utf16))

    def dismissed(self, item_id: str) -> None:
        """Record that the user has rejected an item (``notifyRejected``)."""
        self._call(lambda tracker: tracker.dismissed(item_id))

    def close(self, timeout_s: float) -> bool:
        """Write what is known, waiting up to ``timeout_s`` for the disk. Call this at the end of a session.

        Returns:
            False if the disk was too slow; then what was not written is lost.
        """
        self._call(Tracker.close)
        if self._timer is not None:
            self._timer.cancel()
        self._tracker = None
        return self._store.close(timeout_s)

    def _call(self, record: Callable[[Tracker], None]) -> None:
        if self._tracker is None:
            return
        try:
            record(self._tracker)
            self._arm(self._tracker)
        except Exception as error:  # the boundary: an editor must not suffer from statistics
            self._tracker = None
            # The error's message is logged only at DEBUG, since it may quote the user's text.
            logger.error("The statistics are off for this session: %s", type(error).__name__)
            logger.debug("The statistics failed", exc_info=error)

    def _arm(self, tracker: Tracker) -> None:
        """Set the timer for when the tracker next has something to do."""
        if self._store.failure is not None:
            self._tracker = None
        elif tracker.due_s is not None and tracker.due_s < self._due_s:
            self._due_s = tracker.due_s
            if self._timer is not None:
                self._timer.cancel()
            delay_s = max(0.0, self._due_s - time.monotonic())
            self._timer = asyncio.get_running_loop().call_later(delay_s, self._tick)

    def _tick(self) -> None:
        self._due_s = math.inf
        self._call(Tracker.tick)
