"""The texts that the editor has open, kept equal to its own."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from urllib.parse import unquote

from lsprotocol import types

from copilot_server.context.document import Cursor, Document
from copilot_server.lsp.convert import Lines

_SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True)
class OpenDocument:
    """One version of an open text. ``version`` is the editor's own count."""

    uri: str
    language_id: str
    version: int
    text: str

    @cached_property
    def lines(self) -> Lines:
        """Where its lines begin, worked out once a version."""
        return Lines(self.text)

    def cursor_at(self, position: types.Position, encoding: str) -> Cursor:
        """Give the cursor at ``position``, in a copy that no later edit reaches."""
        document = Document(self.uri, self.language_id, self.text)
        return Cursor(document, self.lines.offset_at(position, encoding))

    def changed(self, change: types.TextDocumentContentChangeEvent, encoding: str) -> OpenDocument:
        """Give the document after one change; what lies outside the text is clamped to it."""
        text = _without_surrogates(change.text)
        if isinstance(change, types.TextDocumentContentChangePartial):
            start = self.lines.offset_at(change.range.start, encoding)
            end = max(start, self.lines.offset_at(change.range.end, encoding))
            text = self.text[:start] + text + self.text[end:]
        return replace(self, text=text)


class Documents:
    """The open documents by URI, in the position encoding of one editor.

    A URI counts as one however it is escaped: some editors escape it one way in one message and another
    way in the next.
    """

    def __init__(self) -> None:
        self.encoding: str = "utf-16"
        self._open: dict[str, OpenDocument] = {}

    def get(self, uri: str) -> OpenDocument | None:
        """Give the current version of a document, or None if it is not open."""
        return self._open.get(unquote(uri))

    def open(self, item: types.TextDocumentItem) -> None:
        """Take up a document as the editor sent it."""
        self._open[unquote(item.uri)] = OpenDocument(
            item.uri, item.language_id, item.version, _without_surrogates(item.text)
        )

    def change(self, uri: str, version: int, changes: Sequence[types.TextDocumentContentChangeEvent]) -> None:
        """Apply ``changes`` one after another; those of a document that is not open are passed over."""
        document = self.get(uri)
        if document is None:
            return
        for change in changes:
            document = document.changed(change, self.encoding)
        self._open[unquote(uri)] = replace(document, version=version)

    def close(self, uri: str) -> None:
        """Forget a document."""
        self._open.pop(unquote(uri), None)


def _without_surrogates(text: str) -> str:
    """Put U+FFFD for each lone surrogate: JSON can carry one, and nothing after us can.

    Both take one code point, one UTF-16 unit and three UTF-8 bytes, so that no position moves.
    """
    return text if text.isascii() else _SURROGATE.sub("\ufffd", text)
