"""A document and a cursor in it. Below the LSP layer, all offsets are in code points."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Document:
    """A text exactly as the editor has it, with its line ends.

    ``start``: where the editor's own text begins. What precedes it was added as context, such as the earlier
    cells of a notebook.
    """

    uri: str
    language_id: str
    text: str
    start: int = 0


@dataclass(frozen=True, slots=True)
class Cursor:
    """A cursor in a document, ``offset`` code points from the start of its text."""

    document: Document
    offset: int

    @property
    def prefix(self) -> str:
        """The text before the cursor."""
        return self.document.text[: self.offset]

    @property
    def suffix(self) -> str:
        """The text after the cursor."""
        return self.document.text[self.offset :]

    @property
    def line_prefix(self) -> str:
        """The cursor's line, up to the cursor."""
        text, end = self.document.text, self.offset
        start = text.rfind("\n", 0, end) + 1
        return text[max(start, text.rfind("\r", start, end) + 1) : end]

    @property
    def line_suffix(self) -> str:
        """The cursor's line from the cursor on, without its line end."""
        text, start = self.document.text, self.offset
        end = text.find("\n", start)
        return text[start : None if end < 0 else end].split("\r", 1)[0]
