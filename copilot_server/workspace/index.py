"""What is known of a workspace's files: the index on disk, and the open documents instead of their files."""

from __future__ import annotations

import logging
import sqlite3
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from cachetools import LRUCache

from copilot_server.workspace.names import FileNames, Use
from copilot_server.workspace.overlay import Overlay, ReadText
from copilot_server.workspace.similar.store import Location
from copilot_server.workspace.store import MAX_DEFINING, Reader
from copilot_server.workspace.summary import FileSummary

logger = logging.getLogger(__name__)

_REMEMBERED = 512
#: A term that more windows have is too common to tell anything; a small workspace has fewer.
MOST_WINDOWS, LEAST_WINDOWS, MOST_SHARE = 300, 20, 0.2
#: How many files with a use of a name are looked at; with more, one is not hidden for certain.
_USERS = 200

_Answer = TypeVar("_Answer")


class Index:
    """Reads the database as another process writes it. It is safe to use from any thread.

    Until there is a database, and when it cannot be read, no file is known.
    """

    def __init__(
        self,
        database: Path,
        folders: Sequence[str],
        overlay: Overlay,
        excludes: Callable[[str], bool] = lambda _: False,
    ) -> None:
        """``excludes``: whether a file must not be read now, whatever the index has of it."""
        self.folders = tuple(folders)
        self._database = database
        self._overlay = overlay
        self._excludes = excludes
        self._lock = threading.RLock()
        self._reader: Reader | None = None
        self._openings = 0
        self._version: tuple[int, ...] = ()
        self._hidden: frozenset[str] = frozenset()
        self._summaries: LRUCache[str, FileSummary | None] = LRUCache(_REMEMBERED)
        self._names: LRUCache[str, FileNames | None] = LRUCache(_REMEMBERED)
        self._users: dict[tuple[Use, str], list[str]] = {}
        self._existing: dict[tuple[str, ...], frozenset[str]] = {}
        self._has_folder: dict[str, bool] = {}
        self._roots: dict[str, tuple[str, ...]] = {}
        self._window_count: int | None = None
        # What is too common stays so as files change, and is the dearest to look up.
        self._common: LRUCache[str, bool] = LRUCache(_REMEMBERED)
        self._windows: LRUCache[str, tuple[int, ...] | None] = LRUCache(_REMEMBERED)
        self._defining: dict[str, tuple[str, ...]] = {}
        self._in_folder: dict[str, tuple[str, ...]] = {}

    def hide(self, paths: frozenset[str]) -> None:
        """Treat these files as unknown, and no others."""
        with self._lock:
            self._hidden = paths
            self._openings += 1

    @property
    def workspace(self) -> Index:
        """The index itself: it has no files but the workspace's."""
        return self

    def is_outside(self, path: str) -> bool:
        """Whether a file is one of an installed package, as none is."""
        del path
        return False

    def is_hidden(self, path: str) -> bool:
        """Whether a file is treated as unknown."""
        return path in self._hidden

    def version(self) -> tuple[int, ...]:
        """Return what changes whenever an answer may; what is remembered is forgotten then."""
        with self._lock:
            number = self._ask(Reader.version, -1)
            version = (self._openings, number, self._overlay.version)
            if version != self._version:
                self._version = version
                self._summaries.clear()
                self._names.clear()
                self._users.clear()
                self._existing.clear()
                self._has_folder.clear()
                self._roots.clear()
                self._windows.clear()
                self._window_count = None
                self._defining.clear()
                self._in_folder.clear()
            return version

    def summary(self, path: str) -> FileSummary | None:
        """Return the summary of a file; None if it is unknown, hidden, or open and not read yet."""
        with self._lock:
            if path not in self._summaries:
                self._summaries[path] = self._read(path)
            return self._summaries[path]

    def names(self, path: str) -> FileNames | None:
        """Return the names in a file; None if it is unknown, hidden, or open and not read as it is now."""
        with self._lock:
            if path in self._hidden:
                return None
            if self._overlay.has(path):
                return self._overlay.names(path)
            if path not in self._names:
                self._names[path] = self._read_names(path)
            return self._names[path]

    def uses(self, use: Use, name: str, besides: str) -> bool:
        """Whether a file, other than ``besides``, may use the name of an attribute in this way.

        Hidden files do not count, and of an open document the unsaved text does.
        """
        with self._lock:
            if self._overlay.uses(use, name, besides):
                return True
            if (use, name) not in self._users:
                none: list[str] = []
                self._users[use, name] = self._ask(lambda reader: reader.users(use, name, _USERS), none)
            users = self._users[use, name]
            left = (one for one in users if one != besides and one not in self._hidden)
            return len(users) == _USERS or any(not self._overlay.has(one) for one in left)

    def existing(self, paths: tuple[str, ...]) -> frozenset[str]:
        """Return which of these files are known and not hidden."""
        with self._lock:
            if paths not in self._existing:
                none: set[str] = set()
                known = self._ask(lambda reader: reader.existing(paths), none)
                self._existing[paths] = frozenset(known - self._hidden)
            return self._existing[paths]

    def defining(self, name: str) -> tuple[str, ...]:
        """Return the files that probably define a name; none if too many do."""
        with self._lock:
            if name not in self._defining:
                none: list[str] = []
                stored = self._ask(lambda reader: reader.defining(name), none)
                unsaved = [path for path in self._overlay.defining(name) if path not in stored]
                known = [*stored, *sorted(self.existing(tuple(unsaved)))]
                is_rare = len(known) <= MAX_DEFINING
                self._defining[name] = tuple(path for path in known if path not in self._hidden and is_rare)
            return self._defining[name]

    def may_be_read(self, path: str) -> bool:
        """Whether a file that is known is still not excluded."""
        return not self._excludes(path)

    def in_folder(self, folder: str) -> tuple[str, ...]:
        """Return the files in a folder, without those in folders below."""
        with self._lock:
            if folder not in self._in_folder:
                none: list[str] = []
                known = self._ask(lambda reader: reader.in_folder(folder), none)
                self._in_folder[folder] = tuple(path for path in known if path not in self._hidden)
            return self._in_folder[folder]

    def has_folder(self, path: str) -> bool:
        """Whether a file below this folder is known."""
        with self._lock:
            if path not in self._has_folder:
                self._has_folder[path] = self._ask(lambda reader: reader.has_folder(path), otherwise=False)
            return self._has_folder[path]

    def roots(self, name: str) -> tuple[str, ...]:
        """Return the folders with a top-level module or package of this name."""
        with self._lock:
            if name not in self._roots:
                none: list[str] = []
                self._roots[name] = tuple(self._ask(lambda reader: reader.roots(name), none))
            return self._roots[name]

    def window_count(self) -> int:
        """Return about how many windows of code the database has."""
        with self._lock:
            if self._window_count is None:
                self._window_count = self._ask(Reader.last_window, 0)
            return self._window_count

    def windows_with(self, term: str) -> tuple[int, ...] | None:
        """Return the ids of the windows with a term; None if there are too many."""
        with self._lock:
            if term in self._common:
                return None
            if term not in self._windows:
                most = min(MOST_WINDOWS, max(LEAST_WINDOWS, int(MOST_SHARE * self.window_count())))
                none: tuple[int, ...] = ()
                found = self._ask(lambda reader: reader.windows_with(term, most + 1), none)
                self._windows[term] = found if len(found) <= most else None
                if len(found) > MOST_WINDOWS:
                    self._common[term] = True
            return self._windows[term]

    def location(self, window: int) -> Location | None:
        """Return where a window is; None if its file is hidden or open, or has changed."""
        with self._lock:
            found = self._ask(lambda reader: reader.location(window), None)
        return None if found is None or found.path in self._hidden or self._overlay.has(found.path) else found

    def open_paths(self) -> list[str]:
        """Return the open documents that are known and not hidden."""
        return sorted(self.existing(self._overlay.paths))

    def open_text(self, path: str) -> ReadText | None:
        """Return an open document as it was read last; None if it is not open, or not read yet."""
        return self._overlay.text(path)

    def reopen(self) -> None:
        """Open the database anew at the next question: another file may have its name."""
        with self._lock:
            if self._reader is not None:
                self._reader.close()
            self._reader = None

    def close(self) -> None:
        """Close the database."""
        self.reopen()

    def _read(self, path: str) -> FileSummary | None:
        if path in self._hidden:
            return None
        stored = self._ask(lambda reader: reader.summary(path), None)
        if stored is None or self._overlay.has(path):
            # A file that git ignores stays unknown when it is open.
            return None if stored is None else self._overlay.summary(path)
        try:
            return FileSummary.from_json(stored)
        except ValueError:
            return None

    def _read_names(self, path: str) -> FileNames | None:
        stored = self._ask(lambda reader: reader.names(path), None)
        try:
            return None if stored is None else FileNames.from_json(stored)
        except ValueError:
            return None

    def _ask(self, question: Callable[[Reader], _Answer], otherwise: _Answer) -> _Answer:
        try:
            if self._reader is None:
                if not self._database.is_file():
                    return otherwise
                self._reader = Reader(self._database)
                self._openings += 1
            return question(self._reader)
        except sqlite3.Error as error:
            logger.debug("The index cannot be read: %s", error)
            self.reopen()
            return otherwise
