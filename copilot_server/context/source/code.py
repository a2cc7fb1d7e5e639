"""Lines of code around a cursor, found by line starts and indentation, since the text may not parse."""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass, field
from functools import lru_cache

from copilot_server.context.document import Cursor
from copilot_server.context.indentation import column, indent_of
from copilot_server.context.source.lexer import RESET, RESET_LINE, LexState, lex
from copilot_server.context.source.strings import triple_quoted

_LAST_RESET = re.compile(r"(?s:.*)^" + RESET, re.MULTILINE)
_LAST_CODE = re.compile(r"(?s:.*)^[ \t\f]*(?=[^\s#])", re.MULTILINE)
#: A reset is recognized by so many characters at most.
_RESET_LENGTH = 100
_BLANK = re.compile(r"(?:\s|#[^\r\n]*)*+")


def plain_line_ends(text: str) -> str:
    """Replace each lone carriage return, an old line end, by a line feed; this package expects no others."""
    return _plain_line_ends(text) if "\r" in text else text


@lru_cache(maxsize=8)
def _plain_line_ends(text: str) -> str:
    if text.count("\r") == text.count("\r\n"):  # the usual case, with a fast check
        return text
    return re.sub(r"\r(?!\n)", "\n", text)


def line_end(text: str) -> str:
    """Return the line end of ``text``, which is a line feed if the text has none."""
    if "\r" not in text:
        return "\n"
    return "\r\n" if "\r\n" in text else "\r" if "\n" not in text else "\n"


@lru_cache(maxsize=256)
def _last_line_left_of(limit: int) -> re.Pattern[str]:
    """Return a pattern for the last line of code whose first character stands left of column ``limit``.

    A line that starts with a closing bracket belongs to the line that opened it, so it does not match.
    """
    eights, spaces = divmod(limit, 8)
    eight = r"(?: {0,7}\t| {8})"  # either one reaches the next multiple of 8
    shapes = [rf"{eight}{{0,{eights - 1}}} {{0,7}}"] if eights else []
    if spaces:
        shapes.append(rf"{eight}{{{eights}}} {{0,{spaces - 1}}}")
    indent = "|".join(shapes)
    return re.compile(rf"(?s:.*)^(?:[ \t]*\f)*(?:{indent})(?=[^\s#)\]}}])", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Code:
    """The lines of a document whose cursor is at ``end``.

    ``string_starts`` and ``string_ends`` are the offsets of the triple-quoted strings before the cursor. Only
    these strings can contain whole lines.
    """

    text: str
    end: int
    string_starts: tuple[int, ...]
    string_ends: tuple[int, ...]
    #: The logical lines that are known: by the offset where reading began, where it ended, and their starts.
    _lines: dict[int, tuple[int, tuple[int, ...]]] = field(default_factory=dict, compare=False, repr=False)
    #: The resets that are known: up to where each of them is the last one.
    _resets: dict[int, int] = field(default_factory=dict, compare=False, repr=False)

    @classmethod
    def at(cls, cursor: Cursor) -> Code:
        """Read the document up to ``cursor``; an offset outside the text is clamped."""
        text = plain_line_ends(cursor.document.text)
        end = min(max(cursor.offset, 0), len(text))
        strings = triple_quoted(text, end)
        return cls(text, end, strings.starts, strings.ends)

    @classmethod
    def begun(cls, text: str, end: int, following: str = "") -> Code:
        """Read the first ``end`` code points of ``text`` with another text after them.

        It is faster than to read what they make together, where the whole of ``text`` is read as well.
        """
        strings = triple_quoted(text, end)
        return cls(text[:end] + following, end, strings.starts, strings.ends)

    def string_around(self, pos: int) -> int | None:
        """Return the start of the triple-quoted string that contains ``pos``; None if there is none."""
        index = bisect_right(self.string_starts, pos) - 1
        inside = index >= 0 and self.string_starts[index] < pos < self.string_ends[index]
        return self.string_starts[index] if inside else None

    def _last_outside_strings(self, pattern: re.Pattern[str], end: int) -> int | None:
        """Return the start of the last line before ``end`` that ``pattern`` finds outside of strings."""
        while found := pattern.match(self.text, 0, end):
            start = self.text.rfind("\n", 0, found.end()) + 1
            string = self.string_around(start)
            if string is None:
                return start
            end = string
        return None

    def logical_line(self, pos: int) -> tuple[int, LexState]:
        """Return the start of the logical line that ``pos`` is on, and what is open at ``pos``."""
        start = self._last_outside_strings(_LAST_RESET, pos) or 0
        lexed = lex(self.text, start, pos)
        return (lexed.lines[-1] if lexed.lines else start), lexed.state

    def line_before(self, pos: int) -> int | None:
        """Return the start of the last logical line with code before ``pos``, the start of a line."""
        found = _LAST_CODE.match(self.text, 0, pos)
        if found is None:
            return None
        string = self.string_around(found.end())
        return self._line_start(found.end() if string is None else string)

    def line_left_of(self, limit: int, pos: int) -> int | None:
        """Return the start of the last logical line before ``pos`` that is indented less than ``limit``."""
        while limit > 0:
            found = self._last_outside_strings(_last_line_left_of(limit), pos)
            if found is None:
                return None
            start = found if self._is_reset(found) else self._line_start(found)
            if start == found:
                return found
            # The lines in between belong to the logical line that starts there, such as a long table.
            pos = min(found, start + len(self.indent(start)) + 1)
        return None

    def _is_reset(self, line: int) -> bool:
        """Whether a logical line certainly starts at ``line``, the start of a line outside of strings."""
        joined = self.text.endswith("\\\n", 0, line)
        return not joined and RESET_LINE.match(self.text, line) is not None

    def _line_start(self, pos: int) -> int:
        """Return the start of the logical line that ``pos`` is on. On the way up each region is read once."""
        reset = self._reset_before(pos)
        end, lines = self._lines.get(reset, (0, ()))
        if end < pos:
            lines = lex(self.text, reset, pos).lines
            self._lines[reset] = pos, lines
        above = bisect_right(lines, pos)
        return lines[above - 1] if above else reset

    def _reset_before(self, pos: int) -> int:
        """Return where a logical line certainly starts before ``pos``. No region is searched twice."""
        for reset, end in self._resets.items():
            if reset + _RESET_LENGTH < pos <= end:
                return reset
        reset = self._last_outside_strings(_LAST_RESET, pos) or 0
        self._resets[reset] = max(pos, self._resets.get(reset, 0))
        return reset

    def indent(self, line: int) -> str:
        """Return the blanks that the line starting at ``line`` begins with."""
        return indent_of(self.text, line)

    def column(self, line: int) -> int:
        """Return the column of the first character of the line starting at ``line``."""
        return column(self.indent(line))

    @property
    def rest_of_line(self) -> str:
        """The text after the cursor on its line."""
        end = self.text.find("\n", self.end)
        return self.text[self.end : end if end >= 0 else len(self.text)]

    def is_blank(self, start: int, end: int) -> bool:
        """Whether the text from ``start`` to ``end`` consists of blanks and comments."""
        return _BLANK.fullmatch(self.text, start, end) is not None
