"""The documents that the editor has open. Their texts follow the editor's changes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from urllib.parse import unquote

from lsprotocol import types

from copilot_server.context.document import Cursor, Document
from copilot_server.lsp.lines import Lines

_SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Edit:
    """What a change did: ``text`` replaced ``start`` to ``end`` of the text before it, in code points."""

    start: int
    end: int
    text: str


@dataclass(frozen=True, slots=True)
class OpenDocument:
    """One version of an open document. ``version`` is the editor's own number."""

    uri: str
    language_id: str
    version: int
    lines: Lines

    @property
    def text(self) -> str:
        """The whole text."""
        return self.lines.text

    def cursor_at(self, position: types.Position, encoding: str) -> Cursor:
        """Return the cursor at ``position``, in a document that no later edit changes."""
        document = Document(self.uri, self.language_id, self.text)
        return Cursor(document, self.lines.offset_at(position, encoding))


class Documents:
    """The open documents by URI, in the position encoding of one editor.

    URIs that differ only in how they are escaped are the same document, because some editors escape a URI
    differently from one message to the next.
    """

    def __init__(self) -> None:
        self.encoding: str = "utf-16"
        self._open: dict[str, OpenDocument] = {}

    def __iter__(self) -> Iterator[OpenDocument]:
        """Yield the current version of every open document."""
        return iter(tuple(self._open.values()))

    def get(self, uri: str) -> OpenDocument | None:
        """Return the current version of a document, or None if it is not open."""
        return self._open.get(unquote(uri))

    def open(self, item: types.TextDocumentItem) -> OpenDocument:
        """Add a document as the editor sent it."""
        lines = Lines(_without_surrogates(item.text))
        document = OpenDocument(item.uri, item.language_id, item.version, lines)
        self._open[unquote(item.uri)] = document
        return document

    def change(
        self, uri: str, version: int, changes: Sequence[types.TextDocumentContentChangeEvent]
    ) -> tuple[Edit, ...]:
        """Apply ``changes`` one after another; ignore those of a document that is not open.

        Returns:
            What each of them did, in order: the second edit applies to the text that the first has made.
        """
        document = self.get(uri)
        if document is None:
            return ()
        lines, edits = document.lines, []
        for change in changes:
            edit = _edit(lines, change, self.encoding)
            lines = _edited(lines, edit)
            edits.append(edit)
        self._open[unquote(uri)] = replace(document, version=version, lines=lines)
        return tuple(edits)

    def close(self, uri: str) -> None:
        """Forget a document."""
        self._open.pop(unquote(uri), None)


def _edit(lines: Lines, change: types.TextDocumentContentChangeEvent, encoding: str) -> Edit:
    """Read a change; a range that reaches beyond the text is clamped to it."""
    text = _without_surrogates(change.text)
    if not isinstance(change, types.TextDocumentContentChangePartial):
        return Edit(0, len(lines.text), text)
    start = lines.offset_at(change.range.start, encoding)
    return Edit(start, max(start, lines.offset_at(change.range.end, encoding)), text)


def _edited(lines: Lines, edit: Edit) -> Lines:
    """Apply an edit. If it replaces the whole text, no line is shared."""
    if edit.end - edit.start == len(lines.text):
        return Lines(edit.text)
    return lines.edited(edit.start, edit.end, edit.text)


def _without_surrogates(text: str) -> str:
    """Replace each lone surrogate by U+FFFD: JSON can contain one, but no tokenizer can encode it.

    Both take one code point, one UTF-16 unit and three UTF-8 bytes, so no position changes.
    """
    return text if text.isascii() else _SURROGATE.sub("\ufffd", text)
