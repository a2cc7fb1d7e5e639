"""Finds the triple-quoted strings of Python, and after an edit reads only the text around it again.

Only these strings can contain whole lines, and whether an offset is inside one depends on everything above
it. Therefore the last texts are remembered together with their strings. An edit changes no string before it,
and none after the first offset behind it at which a string ends in both texts.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass

from copilot_server.context.common import common_prefix, common_suffix

#: How many texts are remembered: one for each of a few documents that are being edited.
_REMEMBERED = 4
#: A document is recognized by this many code points at its beginning or its end.
_COMPARED = 256

# Everything up to a triple-quoted string, then that string. Since there is one match for each string, the
# regular expression engine scans the file, and not a Python loop.
_TO_TRIPLE = re.compile(
    r"""(?:[^'"#\\]++|\\(?:\r\n|.)|\#[^\r\n]*+"""
    r"""|"(?!"")(?:[^"\\\r\n]++|\\(?:\r\n|.))*+"?|'(?!'')(?:[^'\\\r\n]++|\\(?:\r\n|.))*+'?)*+"""
    r"""(?P<triple>\"{3}(?:[^"\\]++|\\.|"(?!""))*+(?:\"{3})?|'{3}(?:[^'\\]++|\\.|'(?!''))*+(?:'{3})?)?""",
    re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Spans:
    """Spans of a text in order: where each starts, and where each ends."""

    starts: tuple[int, ...] = ()
    ends: tuple[int, ...] = ()

    def first(self, count: int) -> Spans:
        """Return the first ``count`` spans."""
        return Spans(self.starts[:count], self.ends[:count])

    def after(self, index: int, moved: int) -> Spans:
        """Return the spans after ``index``, moved on by ``moved`` code points."""
        starts, ends = self.starts[index + 1 :], self.ends[index + 1 :]
        if moved:
            return Spans(tuple([at + moved for at in starts]), tuple([at + moved for at in ends]))
        return Spans(starts, ends)

    def then(self, following: Spans) -> Spans:
        """Return these spans and the ``following`` ones."""
        return Spans(self.starts + following.starts, self.ends + following.ends)


def triple_quoted(text: str, end: int) -> Spans:
    """Return the triple-quoted strings before ``end``; one that is open there ends at ``end``.

    The result equals that of ``read_triple_quoted``, but most of the text is not read again.
    """
    line = text.rfind("\n", 0, end) + 1
    if text.endswith(("\\\n", "\\\r\n"), 0, line):  # the line may begin inside a string of one line
        return read_triple_quoted(text, 0, end)
    spans = _scans.of(text).spans
    above = bisect_left(spans.starts, line)
    if above and spans.ends[above - 1] >= line:  # it is open where the line starts
        above -= 1
        line = spans.starts[above]
    return spans.first(above).then(read_triple_quoted(text, line, end))


def read_triple_quoted(text: str, start: int, end: int) -> Spans:
    """Return the triple-quoted strings from ``start``, which is inside no string, to ``end``."""
    found = list(_read(text, start, end))
    return Spans(tuple(start for start, _ in found), tuple(end for _, end in found))


def _read(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    return (found.span("triple") for found in _TO_TRIPLE.finditer(text, start, end) if found["triple"])


@dataclass(frozen=True, slots=True)
class _Scan:
    """A text and its triple-quoted strings."""

    text: str
    spans: Spans

    @property
    def closed(self) -> int:
        """How many strings are certainly closed: all but one at the end of the text."""
        # An open string may end just before the text does, if the text ends in a backslash.
        ends = self.spans.ends
        return len(ends) - (bool(ends) and ends[-1] >= len(self.text) - 1)

    def followed(self, text: str) -> _Scan:
        """Return the scan of ``text``, reusing the strings that both texts have."""
        same = common_prefix(self.text, text)
        same_end = common_suffix(self.text, text, min(len(self.text), len(text)) - same)
        moved = len(text) - len(self.text)
        kept = self.spans.first(bisect_right(self.spans.ends, same, 0, self.closed))
        starts, ends = [], []
        for start, end in _read(text, kept.ends[-1] if kept.ends else 0, len(text)):
            starts.append(start)
            ends.append(end)
            if end >= len(text) - same_end and (found := self._index(end - moved)) is not None:
                following = self.spans.after(found, moved)
                return _Scan(text, kept.then(Spans(tuple(starts), tuple(ends))).then(following))
        return _Scan(text, kept.then(Spans(tuple(starts), tuple(ends))))

    def _index(self, end: int) -> int | None:
        """Return the index of the closed string that ends at ``end``; None if there is none."""
        at = bisect_left(self.spans.ends, end)
        return at if at < self.closed and self.spans.ends[at] == end else None


class _Scans:
    """The last scans, newest first. Threads may share it; at worst one discards what another has read."""

    def __init__(self) -> None:
        self._newest: tuple[_Scan, ...] = ()

    def of(self, text: str) -> _Scan:
        """Return the scan of ``text``, which reads only what differs from an earlier text."""
        scans = self._newest
        last = next((scan for scan in scans if _is_like(scan.text, text)), _Scan("", Spans()))
        if last.text == text:
            return last
        scan = last.followed(text)
        self._newest = (scan, *(other for other in scans if other is not last))[:_REMEMBERED]
        return scan


_scans = _Scans()


def _is_like(one: str, other: str) -> bool:
    """Whether two texts are probably versions of one document, since they begin or end alike."""
    return one[:_COMPARED] == other[:_COMPARED] or one[-_COMPARED:] == other[-_COMPARED:]
