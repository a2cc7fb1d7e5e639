"""Keeps rows in SQLite, from a thread of its own: nobody who has something to keep waits for a disk."""

from __future__ import annotations

import logging
import queue
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, fields
from pathlib import Path

import filelock

from copilot_server.errors import CopilotServerError
from copilot_server.statistics.schema import is_damage, open_for_writing, reopen_damaged
from copilot_server.statistics.types import Suggestion

logger = logging.getLogger(__name__)

#: Rows older than this are deleted, and the oldest beyond this many.
RETENTION_DAYS = 400
MAX_ROWS = 500_000
#: Rows that wait to be written; more are dropped. A day of typing makes some thousands.
MAX_QUEUED = 10_000
#: How long rows are gathered to be written together. So much is lost, at most, to a kill.
FLUSH_S = 1.0
_PRUNE_EVERY_S = 24 * 3600.0

_COLUMNS = [field.name for field in fields(Suggestion)]
_OUTCOMES = _COLUMNS[_COLUMNS.index("shown") :]
_INSERT = f"INSERT OR IGNORE INTO suggestions VALUES ({', '.join(f':{name}' for name in _COLUMNS)})"  # noqa: S608
#: A row that was deleted since it was added stays deleted.
_SET = ", ".join(f"{name} = :{name}" for name in _OUTCOMES)
_UPDATE = f"UPDATE suggestions SET {_SET} WHERE id = :id"  # noqa: S608 - the names are our own

_Write = tuple[str, Suggestion]


class Store:
    """Rows on their way to the database at ``path``. To add or update one takes microseconds.

    Nothing is opened, and no thread started, before there is a row. Whatever goes wrong with the database is
    logged once, in ``failure`` from then on, and ends the keeping for the life of this object: a full disk
    must not stop an editor.
    """

    def __init__(
        self,
        path: Path,
        *,
        flush_s: float = FLUSH_S,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.path = path
        self.failure: str | None = None
        self._flush_s = flush_s
        self._now = now
        #: None at the end says that no more will come.
        self._queue: queue.SimpleQueue[_Write | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._closed = False
        self._dropped = 0

    def add(self, suggestion: Suggestion) -> None:
        """Keep a new row."""
        self._put(_INSERT, suggestion)

    def update(self, suggestion: Suggestion) -> None:
        """Keep what has become of a row that was added."""
        self._put(_UPDATE, suggestion)

    def close(self, timeout_s: float) -> bool:
        """Take no more, and wait up to ``timeout_s`` until what was taken is kept.

        Returns:
            False if it is not yet: then the rest is lost with the process.
        """
        self._closed = True
        self._queue.put(None)
        if self._thread is not None:
            self._thread.join(timeout_s)
        return self._thread is None or not self._thread.is_alive()

    def _put(self, statement: str, suggestion: Suggestion) -> None:
        if self._closed or self.failure is not None:
            return
        if self._queue.qsize() >= MAX_QUEUED:
            self._dropped += 1
            if self._dropped == 1:
                logger.warning("The disk does not keep up with the statistics: some are left out.")
            return
        self._queue.put((statement, suggestion))
        if self._thread is None:
            # A daemon, so that a disk that hangs does not keep the process from ending.
            self._thread = threading.Thread(target=self._run, name="statistics", daemon=True)
            self._thread.start()

    # From here on: the thread.

    def _run(self) -> None:
        try:
            _Writer(self.path, self._now).write_all(self._batches())
        except CopilotServerError as error:
            self._fail(str(error))
        except filelock.Timeout:
            self._fail(f"{self.path} is held by another process.")
        except (sqlite3.Error, OSError) as error:
            self._fail(f"{self.path} cannot be written ({error}).")

    def _fail(self, why: str) -> None:
        self.failure = why
        logger.warning("No statistics are kept until the next start: %s", why)

    def _batches(self) -> Iterator[list[_Write]]:
        """Wait for rows, gather those that come soon after, and give them; end when no more will come."""
        last = False
        while not last:
            first = self._queue.get()
            if first is None:
                return
            batch = [first]
            deadline_s = time.monotonic() + self._flush_s
            while len(batch) < MAX_QUEUED and not last:
                try:
                    one = self._queue.get(timeout=max(0.0, deadline_s - time.monotonic()))
                except queue.Empty:
                    break
                last = one is None
                if one is not None:
                    batch.append(one)
            yield batch


class _Writer:
    """The connection to the database, for one thread."""

    def __init__(self, path: Path, now: Callable[[], float]) -> None:
        self._path = path
        self._now = now
        self._connection = open_for_writing(path)
        # Which file that is, should it be damaged: its name may be another's by then.
        self._opened = path.stat()
        self._pruned_s = 0.0

    def write_all(self, batches: Iterable[list[_Write]]) -> None:
        """Write each batch when it comes, and close the database after the last."""
        try:
            for batch in batches:
                self._write_or_mend(batch)
                self._prune()
        finally:
            self._connection.close()

    def _write_or_mend(self, batch: list[_Write]) -> None:
        try:
            self._write(batch)
        except sqlite3.DatabaseError as error:
            if not is_damage(error):
                raise
            logger.warning("%s is damaged: it is set aside, and the statistics begin anew.", self._path)
            self._connection.close()
            self._connection = reopen_damaged(self._path, self._opened)
            self._opened = self._path.stat()
            self._write(batch)

    def _write(self, batch: list[_Write]) -> None:
        """Write a batch, all or nothing."""
        self._connection.execute("BEGIN IMMEDIATE")
        with self._connection:
            for statement, suggestion in batch:
                self._connection.execute(statement, asdict(suggestion))

    def _prune(self) -> None:
        """Once a day, delete what is old."""
        now_s = self._now()
        if now_s - self._pruned_s < _PRUNE_EVERY_S:
            return
        self._pruned_s = now_s
        oldest_s = now_s - RETENTION_DAYS * 24 * 3600
        with self._connection:
            self._connection.execute("DELETE FROM suggestions WHERE offered_at_s < ?", (oldest_s,))
            self._connection.execute(
                "DELETE FROM suggestions WHERE id IN"
                " (SELECT id FROM suggestions ORDER BY offered_at_s DESC LIMIT -1 OFFSET ?)",
                (MAX_ROWS,),
            )
