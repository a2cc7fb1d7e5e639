"""Saves rows in SQLite on a thread of its own, so that callers never wait for the disk."""

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
from copilot_server.statistics.names import earlier_name, read_key, stored_name
from copilot_server.statistics.schema import is_damage, open_for_writing, open_key, reopen_damaged
from copilot_server.statistics.types import Suggestion

logger = logging.getLogger(__name__)

#: Rows older than this are deleted, and so are the oldest ones beyond this number.
RETENTION_DAYS = 400
MAX_ROWS = 500_000
#: The most rows that wait to be written; further ones are dropped. A day of typing makes some thousands.
MAX_QUEUED = 10_000
#: How long rows are collected to be written together. A killed process loses the rows of this time at most.
FLUSH_S = 1.0
_PRUNE_EVERY_S = 24 * 3600.0

_COLUMNS = [field.name for field in fields(Suggestion)]
_OUTCOMES = _COLUMNS[_COLUMNS.index("shown") :]
#: The columns are named, since a migration appends new ones, and a newer server may do so while this one
#: runs. They are quoted, since ``trigger`` is a keyword of SQL.
_NAMES = ", ".join(f'"{name}"' for name in _COLUMNS)
_VALUES = ", ".join(f":{name}" for name in _COLUMNS)
_INSERT = f"INSERT OR IGNORE INTO suggestions ({_NAMES}) VALUES ({_VALUES})"  # noqa: S608 - the names are our own
#: An update does not bring back a row that has been deleted in the meantime.
_SET = ", ".join(f"{name} = :{name}" for name in _OUTCOMES)
_UPDATE = f"UPDATE suggestions SET {_SET} WHERE id = :id"  # noqa: S608 - the names are our own

_RENAME = "UPDATE suggestions SET model = :new WHERE model = :old"

_Write = tuple[str, Suggestion]


class Store:
    """Rows on their way to the database at ``path``. Adding or updating one takes microseconds.

    The database is opened and the thread is started with the first row. When the database fails, the reason
    is logged once and kept in ``failure``, and this object saves nothing more: a full disk must not stop an
    editor.
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
        #: None is the last entry.
        self._queue: queue.SimpleQueue[_Write | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._closed = False
        self._dropped = 0

    def add(self, suggestion: Suggestion) -> None:
        """Save a new row."""
        self._put(_INSERT, suggestion)

    def update(self, suggestion: Suggestion) -> None:
        """Save the outcomes of a row that was added."""
        self._put(_UPDATE, suggestion)

    def close(self, timeout_s: float) -> bool:
        """Accept no more rows, and wait up to ``timeout_s`` until the accepted ones are saved.

        Returns:
            False if they are not saved yet; then the rest is lost when the process ends.
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
                logger.warning("The disk is too slow for the statistics: some are dropped.")
            return
        self._queue.put((statement, suggestion))
        if self._thread is None:
            # A daemon thread, so that a hanging disk does not keep the process from ending.
            self._thread = threading.Thread(target=self._run, name="statistics", daemon=True)
            self._thread.start()

    # The methods below run on the thread.

    def _run(self) -> None:
        try:
            _Writer(self.path, self._now).write_all(self._batches())
        except CopilotServerError as error:
            self._fail(str(error))
        except filelock.Timeout:
            self._fail(f"{self.path} is locked by another process.")
        except (sqlite3.Error, OSError) as error:
            self._fail(f"{self.path} cannot be written ({error}).")

    def _fail(self, why: str) -> None:
        self.failure = why
        logger.warning("No statistics are kept until the next start: %s", why)

    def _batches(self) -> Iterator[list[_Write]]:
        """Yield batches: a row and those that arrive soon after it. End after the last row."""
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
        # This identifies the file if it turns out to be damaged: its name may denote another one by then.
        self._opened = path.stat()
        self._pruned_s = 0.0
        #: The models whose earlier rows have their present names.
        self._renamed: set[str] = set()

    def write_all(self, batches: Iterable[list[_Write]]) -> None:
        """Write each batch when it arrives, and close the database after the last one."""
        try:
            for batch in batches:
                self._write_or_reopen(batch)
                self._prune()
        finally:
            self._connection.close()

    def _write_or_reopen(self, batch: list[_Write]) -> None:
        try:
            self._write(batch)
        except sqlite3.DatabaseError as error:
            if not is_damage(error):
                raise
            logger.warning("%s is damaged: it is set aside, and the statistics start from zero.", self._path)
            self._connection.close()
            self._connection = reopen_damaged(self._path, self._opened)
            self._opened = self._path.stat()
            self._write(batch)

    def _write(self, batch: list[_Write]) -> None:
        """Write a batch in one transaction."""
        key = read_key(self._path) or open_key(self._path)
        self._connection.execute("BEGIN IMMEDIATE")
        with self._connection:
            for statement, suggestion in batch:
                name = stored_name(suggestion.model, key)
                self._rename(suggestion.model, name)
                self._connection.execute(statement, asdict(suggestion) | {"model": name})

    def _rename(self, model: str, name: str) -> None:
        """Give the rows that an earlier version wrote for a model the name that it has now."""
        if name not in self._renamed:
            self._renamed.add(name)
            if (old := earlier_name(model)) != name:
                self._connection.execute(_RENAME, {"old": old, "new": name})

    def _prune(self) -> None:
        """Delete old rows, once a day."""
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
