"""The interface for the language server: tracker and store as one object that never fails and never waits."""

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
    """Statistics of the suggestions made to one editor, for the thread of its event loop.

    Every method returns within microseconds, and none raises: an error in here is logged and ends the
    statistics for the session. While they are switched off, nothing is followed and nothing is written.

    URIs must be spelled one way for one document; ids are those that the items' commands carry. Offsets are
    in code points.
    """

    def __init__(self, text_of: Callable[[str], str | None], path: Path | None = None) -> None:
        """``text_of``: the text of an open document by its URI, None if it is not open.

        ``path``: the database; None for the user's own.
        """
        self.counts = SuggestionCounts()
        self._text_of = text_of
        self._store = Store(path or database_path())
        self._editor = ""
        self._tracker: Tracker | None = None
        self._timer: asyncio.TimerHandle | None = None
        #: When the timer goes off, on the monotonic clock.
        self._due_s = math.inf

    def configure(self, *, enabled: bool, editor: str = "") -> None:
        """Switch statistics, which are off at first, on or off, and name the editor."""
        self._editor = editor or self._editor
        if enabled != (self._tracker is not None):
            self._tracker = Tracker(self._store, self._text_of, counts=self.counts) if enabled else None
        if self._tracker is not None:
            self._tracker.editor = self._editor

    def requested(self, uri: str, offset: int) -> None:
        """The editor asks for a suggestion. Call it when the request comes."""
        self._call(lambda tracker: tracker.requested(uri, offset))

    def offered(self, offer: Offer) -> None:
        """An answer with items is about to be sent. The document must be as it is now."""
        self._call(lambda tracker: tracker.offered(offer))

    def changed(self, uri: str, edits: Sequence[Edit]) -> None:
        """A document was edited. Call it for every change, after it was applied.

        Each edit is of the text that the one before it has made. An editor that sends whole texts has one
        edit of all for each key: pass ``text.minimal_edit(before, after)`` instead.
        """
        self._call(lambda tracker: tracker.changed(uri, edits))

    def closed(self, uri: str) -> None:
        """A document was closed, or is no longer to be followed."""
        self._call(lambda tracker: tracker.closed(uri))

    def shown(self, item_id: str) -> None:
        """The editor shows an item (``didShowCompletion``, ``notifyShown``)."""
        self._call(lambda tracker: tracker.shown(item_id))

    def accepted(self, item_id: str) -> None:
        """The user has accepted an item (its command, ``notifyAccepted``)."""
        self._call(lambda tracker: tracker.accepted(item_id))

    def partly_accepted(self, item_id: str, length_utf16: int) -> None:
        """The user has accepted that much of an item's ``insertText`` so far (``didPartiallyAccept...``)."""
        self._call(lambda tracker: tracker.partly_accepted(item_id, length_utf16))

    def dismissed(self, item_id: str) -> None:
        """The user has turned an item down (``notifyRejected``)."""
        self._call(lambda tracker: tracker.dismissed(item_id))

    def close(self, timeout_s: float) -> bool:
        """Write what is known, waiting up to ``timeout_s`` for the disk. Call it at the end of a session.

        Returns:
            False if the disk was too slow; what it has not written is lost.
        """
        self._call(Tracker.close)
        if self._timer is not None:
            self._timer.cancel()
        self._tracker = None
        return self._store.close(timeout_s)

    def _call(self, what: Callable[[Tracker], None]) -> None:
        if self._tracker is None:
            return
        try:
            what(self._tracker)
            self._arm(self._tracker)
        except Exception as error:  # the boundary: an editor must not suffer from statistics
            self._tracker = None
            # Its message goes to the log at DEBUG alone: it may quote the text that it failed on.
            logger.error("The statistics are off for this session: %s", type(error).__name__)
            logger.debug("The statistics failed", exc_info=error)

    def _arm(self, tracker: Tracker) -> None:
        """Have the tracker called when it next has something to do."""
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
