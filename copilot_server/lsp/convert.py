"""The editor's units and shapes, and ours: positions and offsets, candidates and items.

A position counts UTF-8, UTF-16 or UTF-32 units from the start of its line, as was negotiated; an offset
counts code points from the start of the text.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from lsprotocol import types

from copilot_server.completion.types import Candidate
from copilot_server.context.document import Cursor

#: Encoding by its name in the protocol: Python's codec for it, and the bytes of one unit.
_CODECS = {"utf-8": ("utf-8", 1), "utf-16": ("utf-16-le", 2), "utf-32": ("utf-32-le", 4)}

# The three line ends of the protocol (LSP 3.17, "Text Documents"). str.splitlines knows seven more, such
# as form feed and U+2028, which to an editor are ordinary characters.
_LINE_END = re.compile(r"\r\n|\n|\r")


@dataclass(frozen=True)
class Lines:
    """Where the lines of a text begin, for going between positions and offsets."""

    text: str

    @cached_property
    def starts(self) -> list[int]:
        """The offset of each line's first code point; a text has at least one line."""
        return [0, *(end.end() for end in _LINE_END.finditer(self.text))]

    def offset_at(self, position: types.Position, encoding: str) -> int:
        """Give the offset of ``position``.

        As the protocol has it, a column past the end of its line is the end of that line, and a line past
        the last is the end of the text. A position inside a code point is where that code point begins.
        """
        if position.line >= len(self.starts):
            return len(self.text)
        line = self._line(position.line)
        return self.starts[position.line] + _code_points(line, position.character, encoding)

    def position_at(self, offset: int, encoding: str) -> types.Position:
        """Give the position of ``offset``, which is within the text."""
        line = bisect_right(self.starts, offset) - 1
        return types.Position(line, _units(self.text[self.starts[line] : offset], encoding))

    def _line(self, number: int) -> str:
        """Give a line without its line end."""
        following = number + 1
        end = self.starts[following] if following < len(self.starts) else len(self.text)
        line = self.text[self.starts[number] : end]
        return line if following == len(self.starts) else line.removesuffix("\n").removesuffix("\r")


def _code_points(line: str, units: int, encoding: str) -> int:
    """Count the code points of ``line`` that lie whole within its first ``units`` units."""
    if line.isascii():
        return min(units, len(line))
    codec, unit_bytes = _CODECS[encoding]
    head = line.encode(codec)[: units * unit_bytes]
    return len(head.decode(codec, errors="ignore"))


def _units(text: str, encoding: str) -> int:
    codec, unit_bytes = _CODECS[encoding]
    return len(text) if text.isascii() else len(text.encode(codec)) // unit_bytes


def inline_items(
    candidates: Sequence[Candidate], cursor: Cursor, encoding: str
) -> list[types.InlineCompletionItem]:
    """Make inline completion items of ``candidates``, in their order."""
    lines = Lines(cursor.document.text)
    return [
        types.InlineCompletionItem(
            insert_text=candidate.text,
            range=_range(lines, cursor.offset, cursor.offset + candidate.replaced, encoding),
        )
        for candidate in candidates
    ]


def completion_items(
    candidates: Sequence[Candidate], cursor: Cursor, encoding: str
) -> list[types.CompletionItem]:
    """Make items for an editor's completion menu of ``candidates``, in their order.

    The word before the cursor is part of the item: menus show whole words and filter by them.
    """
    word = _word_before(cursor)
    lines = Lines(cursor.document.text)
    start = cursor.offset - len(word)
    return [
        _menu_item(
            word + candidate.text,
            _range(lines, start, cursor.offset + candidate.replaced, encoding),
            rank=rank,
        )
        for rank, candidate in enumerate(candidates)
    ]


def _menu_item(text: str, replaced: types.Range, *, rank: int) -> types.CompletionItem:
    label = text.strip().split("\n", 1)[0].rstrip()
    return types.CompletionItem(
        label=label,
        kind=types.CompletionItemKind.Text,
        detail="copilot-server",
        documentation=text,
        sort_text=f"{rank:04}",
        filter_text=text,
        text_edit=types.TextEdit(range=replaced, new_text=text),
        insert_text_format=types.InsertTextFormat.PlainText,
        # The model wrote the indentation; an editor that adjusts it would add it twice.
        insert_text_mode=types.InsertTextMode.AsIs,
    )


def _word_before(cursor: Cursor) -> str:
    word = re.search(r"\w*\Z", cursor.line_prefix)
    return word.group() if word else ""


def _range(lines: Lines, start: int, end: int, encoding: str) -> types.Range:
    return types.Range(lines.position_at(start, encoding), lines.position_at(end, encoding))
