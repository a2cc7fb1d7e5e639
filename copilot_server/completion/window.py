"""Which part of a document the model reads: cut so that its beginning stays the same while the user types.

An engine caches the prefixes of earlier prompts, and of a new prompt reads only what follows the first
difference. A window therefore starts at an anchor, which is one of a few lines that are chosen by their
offsets in the document, wherever the cursor is. When the window overflows, its start moves on to the next
anchor, by about a quarter of the budget. All of this depends only on the document and the cursor, and not on
earlier requests.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise

from copilot_server.context.document import Cursor

CountTokens = Callable[[str], int]

#: The share of the budget for the text after the cursor; the rest is for the text before it.
SUFFIX_SHARE = 0.25
#: The share of the budget for what is pinned to the top (imports, headers) when it is above the window.
PINNED_SHARE = 0.25
#: Room for the cursor's line and for what is pinned is reserved in steps of this share of the budget, so that
#: not every word moves the window's start.
STEP_SHARE = 1 / 16
#: The share of the text that fits which may be left out to keep the start of the window stable.
LEFT_OFF_SHARE = 1 / 2

#: A token of code is seldom longer than this, in code points. A text whose tokens would have to be longer to
#: fit is not even counted.
_LONGEST_TOKEN = 16


@dataclass(frozen=True, slots=True)
class Pinned:
    """Whole lines of the document, from offset ``start`` on, that are worth reading from far below."""

    start: int
    text: str


@dataclass(frozen=True, slots=True)
class Window:
    """The text around the cursor that the model reads.

    ``header`` is the pinned text that lies above the window; ``above``, the lines from offset ``start`` of
    the document to the cursor's line; ``line``, that line up to the cursor; ``suffix``, the text after the
    cursor. ``others`` is what the model reads of other files: whole lines, which stand above all that.
    """

    header: str
    start: int
    above: str
    line: str
    suffix: str
    others: str = ""

    @property
    def prefix(self) -> str:
        """All that the model reads of the document before the cursor."""
        return self.header + self.above + self.line

    @property
    def suffix_start(self) -> int:
        """The offset of the cursor."""
        return self.start + len(self.above) + len(self.line)


def take_window(cursor: Cursor, pinned: Sequence[Pinned], budget: int, count_tokens: CountTokens) -> Window:
    """Return the whole lines nearest to the cursor that together have at most ``budget`` tokens.

    Those of the ``pinned`` pieces (the most important first) that lie above the window are put on top of it,
    in the order of the document. Tokens are counted line by line, so that most counts are cached.
    """
    text, line = cursor.document.text, cursor.line_prefix
    suffix, used = _first_lines(text, cursor.offset, int(budget * SUFFIX_SHARE), count_tokens)
    room = budget - used
    step = int(budget * STEP_SHARE)
    room_above = room - _in_steps(_count(line, room, count_tokens), step)
    if room_above < 0:
        start = max(cursor.offset - len(line), cursor.offset - room)  # a token a code point: the worst case
        return Window("", start, "", text[start : cursor.offset], suffix)
    end = cursor.offset - len(line)
    if _is_all_in_reach(text, end, room_above, count_tokens):
        return Window("", 0, text[:end], line, suffix)
    fitting, used = _fit([one.text for one in pinned], int(budget * PINNED_SHARE), count_tokens)
    starts = _starts_above(text, end, room_above - _in_steps(used, step), count_tokens)
    start = _first_anchor(starts, step=budget)
    return Window(_header(pinned[: len(fitting)], start), start, text[start:end], line, suffix)


def _is_all_in_reach(text: str, end: int, room: int, count_tokens: CountTokens) -> bool:
    """Whether all text before ``end`` has at most ``room`` tokens. A text that is too long is not counted."""
    return end <= room * _LONGEST_TOKEN and _starts_above(text, end, room, count_tokens)[0] == 0


def _header(pinned: Sequence[Pinned], before: int) -> str:
    return "".join(one.text for one in sorted(pinned, key=lambda one: one.start) if one.start < before)


def _anchors(starts: Iterable[int], step: int) -> Iterator[int]:
    """Yield the start of the first line that starts in each stretch of ``step`` code points of the text."""
    return (later for earlier, later in pairwise(starts) if earlier // step != later // step)


def _first_anchor(starts: Sequence[int], step: int) -> int:
    """Return the first anchor among ``starts``, the starts of lines; the last of them is the window's end.

    Where that would leave out too much, as with long lines or short tokens, anchors are closer together.
    """
    first, end = starts[0], starts[-1]
    while step:
        anchor = next(_anchors(starts, step), end)
        if anchor - first <= (end - first) * LEFT_OFF_SHARE:
            return anchor
        step //= 2
    return first


def _starts_above(text: str, end: int, room: int, count_tokens: CountTokens) -> list[int]:
    """Return the starts of the last lines before ``end`` that together have ``room`` tokens, then ``end``."""
    reach = max(0, end - room * _LONGEST_TOKEN)
    lines = text[reach:end].splitlines(keepends=True)[1 if reach else 0 :]  # the first may be cut off
    kept, _ = _fit(reversed(lines), room, count_tokens)
    if not kept:
        return [max(0, end - room), end]  # a line too long to fit
    lengths = [len(line) for line in reversed(kept)]
    return list(accumulate(lengths, initial=end - sum(lengths)))


def _first_lines(text: str, start: int, room: int, count_tokens: CountTokens) -> tuple[str, int]:
    """Return the lines from ``start`` on that together have at most ``room`` tokens, and that number."""
    end = start + room * _LONGEST_TOKEN
    lines = text[start:end].splitlines(keepends=True)
    if end < len(text):
        lines = lines[:-1]  # the last may be cut off
    kept, used = _fit(lines, room, count_tokens)
    return "".join(kept), used


def _fit(pieces: Iterable[str], room: int, count_tokens: CountTokens) -> tuple[list[str], int]:
    """Return the first pieces that together have at most ``room`` tokens, and that number."""
    taken: list[str] = []
    used = 0
    for piece in pieces:
        left = room - used
        count = _count(piece, left, count_tokens)
        if count > left:
            break
        taken.append(piece)
        used += count
    return taken, used


def _count(text: str, room: int, count_tokens: CountTokens) -> int:
    """Return the number of tokens, or just more than ``room`` for a text that is too long to have so few."""
    return count_tokens(text) if len(text) <= room * _LONGEST_TOKEN else room + 1


def _in_steps(count: int, step: int) -> int:
    """Round up to a whole number of steps, with room for at least one more token."""
    return (count // step + 1) * step if step else count
