"""The documents that are open in an editor: their unsaved text wins over the disk."""

from __future__ import annotations

import threading
from dataclasses import dataclass

from copilot_server.workspace.files import MAX_BYTES
from copilot_server.workspace.languages import SUFFIXES, UNREAD, read
from copilot_server.workspace.names import FileNames, Use
from copilot_server.workspace.similar.windows import Window
from copilot_server.workspace.summary import FileSummary


@dataclass(frozen=True, slots=True)
class ReadText:
    """A text, and the windows that it has."""

    text: str
    windows: tuple[Window, ...]


@dataclass(slots=True)
class _Open:
    """A document's text, and the summary and the windows of its text at some earlier time."""

    text: str
    summary: FileSummary | None = None
    read: ReadText | None = None
    names: FileNames | None = None
    uses: frozenset[tuple[Use, str]] = frozenset()
    is_current: bool = False


class Overlay:
    """The open documents by the paths of their files. It is safe to use from any thread.

    A text is read when another document asks for it, and not at each key: ``catch_up``, on a thread of its
    own, reads those that were asked for. Until then the summary of an earlier text is given, or none.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._documents: dict[str, _Open] = {}
        self._wanted: set[str] = set()
        self._wake = threading.Event()
        self.version = 0

    def set(self, path: str, text: str, *, read: bool) -> None:
        """Note the text of an open document. ``read``: at once, and not only when it is asked for."""
        if not path.endswith(SUFFIXES):
            return
        with self._lock:
            one = self._documents.setdefault(path, _Open(text))
            was_current, one.is_current = one.is_current, one.is_current and one.text == text
            one.text = text
            if read:
                self._want(path)
            # What is remembered of the document is asked for anew, but not after each key.
            self.version += read or was_current != one.is_current

    def remove(self, path: str) -> None:
        """Forget a document that was closed."""
        with self._lock:
            if self._documents.pop(path, None) is not None:
                self.version += 1

    def has(self, path: str) -> bool:
        """Whether the file is open."""
        return path in self._documents

    @property
    def paths(self) -> tuple[str, ...]:
        """The files that are open."""
        with self._lock:
            return tuple(self._documents)

    def current(self, path: str) -> str | None:
        """Return the text of an open document; None if it is not open."""
        with self._lock:
            one = self._documents.get(path)
            return one.text if one is not None else None

    def summary(self, path: str) -> FileSummary | None:
        """Return the summary of an open document, which may be of an earlier text."""
        one = self._asked(path)
        return one.summary if one is not None else None

    def text(self, path: str) -> ReadText | None:
        """Return the windows of an open document, which may be of an earlier text."""
        one = self._asked(path)
        return one.read if one is not None else None

    def _asked(self, path: str) -> _Open | None:
        with self._lock:
            one = self._documents.get(path)
            if one is not None and not one.is_current:
                self._want(path)
            return one

    def defining(self, name: str) -> list[str]:
        """Return the open documents that define a name, or a member of this name."""
        with self._lock:
            return [
                path
                for path, one in self._documents.items()
                if one.summary is not None and name in one.summary.names()
            ]

    def names(self, path: str) -> FileNames | None:
        """Return the names in an open document; None if they are not read as the text is now."""
        with self._lock:
            one = self._documents.get(path)
            if one is not None and not one.is_current:
                self._want(path)
            return one.names if one is not None and one.is_current else None

    def uses(self, use: Use, name: str, besides: str) -> bool:
        """Whether an open document, other than ``besides``, may use the name of an attribute in this way.

        One that is not read as its text is now may do so if it has the name somewhere.
        """
        with self._lock:
            others = (one for path, one in self._documents.items() if path != besides)
            return any((use, name) in one.uses if one.is_current else name in one.text for one in others)

    def want_all(self) -> None:
        """Ask for every document."""
        with self._lock:
            for path, one in self._documents.items():
                if not one.is_current:
                    self._want(path)

    @property
    def is_current(self) -> bool:
        """Whether nothing that was asked for is still to be read."""
        with self._lock:
            return not self._wanted

    def wait_for_work(self) -> None:
        """Wait until a document is to be read, or ``wake`` is called."""
        self._wake.wait()
        self._wake.clear()

    def wake(self) -> None:
        """End ``wait_for_work``."""
        self._wake.set()

    def catch_up(self) -> None:
        """Read the documents that were asked for."""
        while True:
            with self._lock:
                path = next(iter(self._wanted), None)
                if path is None:
                    return
                text = self._documents[path].text if path in self._documents else ""
            is_code = len(text) <= MAX_BYTES and "\0" not in text
            found = read(path, text) if is_code else UNREAD
            with self._lock:
                self._wanted.discard(path)
                one = self._documents.get(path)
                if one is not None:
                    one.summary, one.names = found.summary, found.names
                    one.uses = frozenset(found.names.uses())
                    one.read = ReadText(text, found.windows)
                    one.is_current = one.text == text
                    self.version += 1

    def _want(self, path: str) -> None:
        self._wanted.add(path)
        self._wake.set()
