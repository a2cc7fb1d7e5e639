"""Finds code of other files that is like the code above a cursor, and shows what follows it there.

What somebody is about to write is like what follows similar code. The windows that share the rarest names
with the lines around the cursor are read from their files, or from the documents that are open, and the best
one is shown if it is alike enough. Nothing here depends on the cursor's line, so it stays while somebody
types there.
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

from copilot_server.workspace.index import Index
from copilot_server.workspace.reading import are_same_file, text_of
from copilot_server.workspace.similar.families import Family, family_of
from copilot_server.workspace.similar.query import Match, Query, best_match, inverse_frequency, query_at
from copilot_server.workspace.similar.windows import lines_of
from copilot_server.workspace.types import Snippet

#: How many windows of files are read, and how many of the index are considered for that.
READ, CONSIDERED = 4, 40
#: The share of the query's terms, by weight, that a window has which is looked at.
LEAST_COVERAGE = 0.3
#: How many terms are looked up, the most telling first, and in how many windows together.
MOST_TERMS, MOST_FOUND = 32, 6_000
#: How many windows of open documents are compared.
MOST_OPEN = 1_000
#: The least score of a match that is shown, and of one that is shown already.
THRESHOLD, KEPT = 0.4, 0.25
#: How many lines are shown: up to the last one like those above the cursor, and after that.
SHOWN_BEFORE, SHOWN_AFTER = 2, 14
#: What is shown already is kept as long as so many of its lines still follow.
STILL_AFTER = 2

MayRead = Callable[[str], bool]


@dataclass(frozen=True, slots=True)
class Around:
    """The texts before and after a cursor's line, in a document of a ``family`` with the file ``path``."""

    before: str
    after: str
    path: str
    family: Family


@dataclass(frozen=True, slots=True)
class Found:
    """Similar code: ``text``, whole lines from line ``first`` of the file at ``path``, counted from 0."""

    path: str
    first: int
    text: str
    score: float

    @property
    def snippet(self) -> Snippet:
        """The snippet that shows it, with an absolute path."""
        return Snippet(self.path, self.text, self.score, kind="similar")


def find(around: Around, index: Index, room: int, may_read: MayRead, last: Found | None) -> Found | None:
    """Return the code of another file that is like that around a cursor; often there is none.

    ``room``: the most code points. ``may_read``: whether a file, by its path, is not excluded. ``last``: what
    was found at an earlier line of the document; it is found again where it is still alike, so that prompts
    stay the same while somebody goes on below.
    """
    search = _Search(index, around)
    query = query_at(around.before, around.after, search.rarity)
    if last is not None and may_read(last.path) and search.still_fits(last, query):
        return last
    matches = [*search.in_files(query), *search.in_documents(query)]
    for one in sorted(matches, key=lambda one: (-one.score, one.path, one.last)):
        if one.score < THRESHOLD:
            break
        first, text = _shown(one, query, room)
        if text and not are_same_file(one.path, around.path) and may_read(one.path):
            return Found(one.path, first, text, one.score)
    return None


class _Search:
    """Looks for windows in the index, and in open documents."""

    def __init__(self, index: Index, around: Around) -> None:
        self._index = index
        self._around = around
        self._total = index.window_count()

    def rarity(self, term: str) -> float:
        """Return how much a term tells; 0 if it is too common."""
        found = self._index.windows_with(self._around.family.code + term)
        # A name that is new in the document is as rare as one that only one window has.
        return 0.0 if found is None else inverse_frequency(max(1, len(found)), max(1, self._total))

    def still_fits(self, last: Found, query: Query) -> bool:
        """Whether what was found is there as it was, is still alike, and shows what may follow."""
        lines, count = self._lines(last.path), last.text.count("\n") + 1
        end = last.first + count
        if [line.rstrip() for line in lines[last.first : end]] != last.text.split("\n"):
            return False
        match = best_match(last.path, lines, last.first, end, query)
        return match is not None and match.score >= KEPT and match.last < end - STILL_AFTER

    def _lines(self, path: str) -> Sequence[str]:
        """Return the lines of a file that is known, as they are in the editor or on the disk."""
        if path == self._around.path or not self._index.existing((path,)):
            return ()
        text = self._index.open_text(path)
        return lines_of(text_of(path) if text is None else text.text)

    def in_files(self, query: Query) -> Iterator[Match]:
        """Yield the matches in the windows that have most of the query's terms."""
        scores, least = self._scores(query.weights), LEAST_COVERAGE * query.total
        enough = (window for window, score in scores.items() if score >= least)
        best = heapq.nlargest(CONSIDERED, enough, key=lambda window: (scores[window], -window))
        places = (place for window in best if (place := self._index.location(window)) is not None)
        for place in islice((place for place in places if place.path != self._around.path), READ):
            # The file may have changed since it was indexed, so it is compared as it is now.
            lines = lines_of(text_of(place.path))
            match = best_match(place.path, lines, place.first, place.end, query)
            if match is not None:
                yield match

    def _scores(self, weights: Mapping[str, float]) -> Mapping[int, float]:
        scores: defaultdict[int, float] = defaultdict(float)
        left = MOST_FOUND
        for term in sorted(weights, key=lambda one: (-weights[one], one))[:MOST_TERMS]:
            windows = self._index.windows_with(self._around.family.code + term) or ()
            left -= len(windows)
            if left < 0 or not weights[term]:
                break
            for window in windows:
                scores[window] += weights[term]
        return scores

    def in_documents(self, query: Query) -> Iterator[Match]:
        """Yield the best match of each open document."""
        left = MOST_OPEN
        for path in self._index.open_paths():
            if path == self._around.path or family_of(path) is not self._around.family:
                continue
            text = self._index.open_text(path)
            left -= len(text.windows) if text is not None else 0
            if text is None or not text.windows or left < 0:
                continue
            coverage, at = max((query.coverage(one.terms), -at) for at, one in enumerate(text.windows))
            window = text.windows[-at]
            lines = lines_of(text.text) if coverage >= LEAST_COVERAGE else ()
            match = best_match(path, lines, window.first, window.end, query)
            if match is not None:
                yield match


def _shown(match: Match, query: Query, room: int) -> tuple[int, str]:
    """Return the lines around a match that fit, from which one on; "" if what follows says nothing new."""
    first = max(0, match.last - SHOWN_BEFORE + 1)
    shown: list[str] = []
    for line in match.lines[first : match.last + 1 + SHOWN_AFTER]:
        room -= len(line) + 1
        if room < -1:
            break
        shown.append(line.rstrip())
    while shown and not shown[-1]:
        shown.pop()
    follows = {line.strip() for line in shown[match.last + 1 - first :]} - {""}
    return first, "\n".join(shown) if follows - query.near else ""
