"""How a file is split into windows of some 20 lines, at blank lines and at the ends of blocks if possible."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from copilot_server.workspace.similar.terms import terms_of

#: A window has so many lines, unless it is the file's last.
LEAST, MOST = 10, 24
#: A file whose lines are longer than this in the mean, in code points, was not written by hand.
MAX_MEAN_LINE = 150
#: How much the start of a block after a line of code is worth against one after a blank line, in columns.
_AFTER_CODE, _BLANK = 5, 1_000


@dataclass(frozen=True, slots=True)
class Window:
    """The lines of a file from ``first`` up to ``end``, exclusive, counted from 0; and their terms."""

    first: int
    end: int
    terms: frozenset[str]


def windows_of(text: str) -> tuple[Window, ...]:
    """Return the windows that together are all lines of a file; none for one that nobody wrote by hand."""
    lines = lines_of(text)
    if len(text) > len(lines) * MAX_MEAN_LINE:
        return ()
    spans = _spans(lines)
    return tuple(Window(first, end, frozenset(terms_of("\n".join(lines[first:end])))) for first, end in spans)


def lines_of(text: str) -> list[str]:
    """Return the lines of a text without their ends."""
    return text.splitlines()


def _spans(lines: Sequence[str]) -> Iterator[tuple[int, int]]:
    costs = _costs(lines)
    first = 0
    while first < len(lines):
        end = _end(costs, first)
        yield first, end
        first = end


def _end(costs: Sequence[int], first: int) -> int:
    """Return where a window ends: before the line that is indented least, if possible after a blank line."""
    last = min(first + MOST, len(costs))
    if last == len(costs):
        return last
    near = costs[first + LEAST : last + 1]
    least = min(near)
    return last - near[::-1].index(least)


def _costs(lines: Sequence[str]) -> list[int]:
    """Return for each line what it costs to begin a window there."""
    written = list(map(len, map(str.lstrip, lines)))
    above = [0, *written]
    return [
        len(line) - length + (_AFTER_CODE if before else 0) if length else _BLANK
        for line, length, before in zip(lines, written, above, strict=False)
    ]
