"""Where the lines of a text begin, updated with each edit.

A position of the protocol counts UTF-8, UTF-16 or UTF-32 units from the start of its line, as was negotiated;
an offset counts code points from the start of the text.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate, chain, pairwise

from lsprotocol import types

from copilot_server.context.units import code_points_in, units_of

# The three line ends of the protocol (LSP 3.17, "Text Documents"). str.splitlines splits at seven more, such
# as form feed and U+2028, which are ordinary characters to an editor.
_LINE_END = re.compile(r"\r\n|\n|\r")

#: The number of lines in a new block, and the most that a block may grow to.
_BLOCK_LINES, _MOST_LINES = 128, 256


@dataclass(frozen=True, slots=True)
class _Block:
    """Consecutive lines: the length of each with its line end, and their total length."""

    lengths: tuple[int, ...]
    length: int


@dataclass(frozen=True, slots=True)
class _Line:
    """A line: its number, its offset, its length with the line end, and its block and index in the block."""

    number: int
    start: int
    length: int
    block: int
    index: int


class Lines:
    """The lines of one text, at least one. The object is immutable: an edit returns another.

    The lengths are stored in blocks, so that an edit makes one new block and shares the others. Its cost
    grows with the square root of the number of lines. A text of a few lines is one block.
    """

    __slots__ = ("_blocks", "_first_lines", "_offsets", "text")

    def __init__(self, text: str, blocks: Iterable[_Block] | None = None) -> None:
        self.text = text
        self._blocks = tuple(_in_blocks(_lengths(text)) if blocks is None else blocks)
        #: The number of each block's first line, and the offset at which that line starts.
        self._first_lines = _starts([len(block.lengths) for block in self._blocks])
        self._offsets = _starts([block.length for block in self._blocks])

    @property
    def starts(self) -> list[int]:
        """The offset of each line's first code point."""
        lengths = chain.from_iterable(block.lengths for block in self._blocks)
        return _starts(list(lengths))

    def edited(self, start: int, end: int, text: str) -> Lines:
        """Return the lines of the text after ``text`` has replaced ``start`` to ``end``.

        Only the lines affected are read again. The character before ``start`` may be a carriage return that
        the edit joins with a line feed or separates from one, so its line counts as affected.
        """
        edited = self.text[:start] + text + self.text[end:]
        first, last = self._line_around(max(start - 1, 0)), self._line_around(end)
        stop = last.start + last.length + len(edited) - len(self.text)
        lengths = _lengths(edited[first.start : stop])
        return Lines(edited, self._with(first, last, lengths[:-1] if self._ends(last) else lengths))

    def offset_at(self, position: types.Position, encoding: str) -> int:
        """Return the offset of ``position``.

        As the protocol demands, a column past the end of its line is the end of that line, and a line past
        the last is the end of the text. A position inside a code point means its beginning.
        """
        line = self._line(position.line)
        if line is None:
            return len(self.text)
        content = self.text[line.start : line.start + line.length]
        if self._ends(line):
            content = content.removesuffix("\n").removesuffix("\r")
        return line.start + code_points_in(content, position.character, encoding)

    def position_at(self, offset: int, encoding: str) -> types.Position:
        """Return the position of ``offset``, which must be within the text."""
        line = self._line_around(offset)
        return types.Position(line.number, units_of(self.text[line.start : offset], encoding))

    def _ends(self, line: _Line) -> bool:
        """Whether ``line`` has a line end, as all but the last of the text have."""
        return line.block < len(self._blocks) - 1 or line.index < len(self._blocks[-1].lengths) - 1

    def _line(self, number: int) -> _Line | None:
        """Find a line by its number; None if the text has fewer lines."""
        at = bisect_right(self._first_lines, number) - 1
        index, block = number - self._first_lines[at], self._blocks[at]
        if index >= len(block.lengths):
            return None
        return _Line(number, self._offsets[at] + sum(block.lengths[:index]), block.lengths[index], at, index)

    def _line_around(self, offset: int) -> _Line:
        """Find the line of ``offset``: the last that does not start after it."""
        at = bisect_right(self._offsets, offset) - 1
        block, starts = self._blocks[at], _starts(self._blocks[at].lengths)
        index = bisect_right(starts, offset - self._offsets[at]) - 1
        start = self._offsets[at] + starts[index]
        return _Line(self._first_lines[at] + index, start, block.lengths[index], at, index)

    def _with(self, first: _Line, last: _Line, lengths: Sequence[int]) -> Iterable[_Block]:
        """Return the blocks after ``lengths`` has replaced the lines from ``first`` to ``last``."""
        head, tail = self._blocks[first.block].lengths[: first.index], self._blocks[last.block].lengths
        after = last.block + 1
        tail = tail[last.index + 1 :]
        if len(head) + len(lengths) + len(tail) < _BLOCK_LINES // 2 and after < len(self._blocks):
            tail, after = (
                tail + self._blocks[after].lengths,
                after + 1,
            )  # blocks must not shrink
        return chain(self._blocks[: first.block], _in_blocks((*head, *lengths, *tail)), self._blocks[after:])


def _starts(lengths: Sequence[int]) -> list[int]:
    """Return where each of some consecutive parts starts, by their lengths."""
    return list(accumulate(lengths[:-1], initial=0))


def _in_blocks(lengths: Sequence[int]) -> Iterable[_Block]:
    step = len(lengths) if len(lengths) <= _MOST_LINES else _BLOCK_LINES
    for start in range(0, len(lengths), step or 1):
        block = tuple(lengths[start : start + step])
        yield _Block(block, sum(block))


def _lengths(text: str) -> list[int]:
    """Return the length of each line with its line end; after a final line end comes a line of length 0."""
    if "\r" not in text:
        lengths = [len(line) + 1 for line in text.split("\n")]
        lengths[-1] -= 1
        return lengths
    starts = [0, *(end.end() for end in _LINE_END.finditer(text)), len(text)]
    return [following - start for start, following in pairwise(starts)]
