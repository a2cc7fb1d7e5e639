"""Which document the user looks at, and where the cursor is in those that the user has looked at."""

from __future__ import annotations

from urllib.parse import unquote

from cachetools import LRUCache
from lsprotocol import types

#: Of how many documents the cursor's last position is remembered, among them closed ones.
_REMEMBERED_CURSORS = 256


class Focus:
    """The document that the status is about.

    Some editors report which one has the focus. For the others it is the one that was opened, edited or
    asked about last.
    """

    def __init__(self) -> None:
        #: The document's URI; None if no document has the focus, or nothing is known.
        self.uri: str | None = None
        self._is_reported = False
        self._cursors: LRUCache[str, types.Position] = LRUCache(_REMEMBERED_CURSORS)

    def is_on(self, uri: str) -> bool:
        """Whether a document has the focus. URIs may differ in how they are escaped."""
        return self.uri is not None and unquote(uri) == unquote(self.uri)

    def cursor(self, uri: str) -> types.Position | None:
        """Return where the cursor was last in a document, if that is known."""
        return self._cursors.get(unquote(uri))

    def move(self, uri: str | None, position: types.Position | None = None) -> bool:
        """The user is in this document, with the cursor at ``position``; return whether it is another one."""
        if uri is not None and position is not None:
            self._cursors[unquote(uri)] = position
        before, self.uri = self.uri, uri
        return uri != before

    def report(self, uri: str | None, position: types.Position | None = None) -> bool:
        """As ``move``, by the editor's report; from now on it is known that this editor reports."""
        self._is_reported = True
        return self.move(uri, position)

    def touch(self, uri: str) -> bool:
        """A document was opened or edited; return whether it gets the focus by that.

        Editors that report the focus open and edit documents in the background, too.
        """
        return not self._is_reported and self.move(uri)
