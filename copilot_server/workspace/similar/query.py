"""What the code around a cursor's line is like, and how alike other code is."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from copilot_server.workspace.similar.terms import terms_of

#: How many lines are looked at above and below the cursor's, blank ones aside, and in how many code points.
ABOVE, BELOW, REACH = 12, 3, 3_000
#: A term counts in full in so many lines above the cursor, and half in the others.
NEAREST, FARTHER = 4, 0.5
#: What a line is worth in the comparison of lines, the one right above the cursor first.
LINE_WORTH = (1.0, 0.6, 0.4, 0.3)


@dataclass(frozen=True)
class Query:
    """The terms around a cursor's line with how much each one tells, and those of the lines above it.

    ``above``: the nearest line first. ``near``: the lines around, stripped.
    """

    weights: Mapping[str, float]
    above: tuple[frozenset[str], ...]
    near: frozenset[str]

    @cached_property
    def total(self) -> float:
        """The weight of all terms."""
        return sum(self.weights.values())

    @cached_property
    def _usual(self) -> float:
        """The weight of a term that is not asked for: the mean of the others."""
        return self.total / max(1, sum(weight > 0.0 for weight in self.weights.values()))

    def coverage(self, terms: Iterable[str]) -> float:
        """Return the share of the weight that ``terms`` have, from 0 to 1."""
        return sum(self.weights.get(one, 0.0) for one in terms) / self.total if self.total else 0.0

    def likeness(self, one: frozenset[str], other: frozenset[str]) -> float:
        """Return the weighted Jaccard index of two sets of terms, from 0 to 1."""
        common = sum(self.weights.get(term, 0.0) for term in one & other)
        return common / sum(self.weights.get(term, self._usual) for term in one | other) if common else 0.0


@dataclass(frozen=True, slots=True)
class Match:
    """Lines like those above the cursor: the last of them is line ``last`` of ``lines``, from 0.

    ``score``: from 0 to 1, the mean of how many of the query's terms the window has and of how alike the
    lines are, both weighted.
    """

    path: str
    lines: Sequence[str]
    last: int
    score: float


def text_around(before: str, after: str) -> tuple[list[str], list[str]]:
    """Return the lines that count, from the texts before and after the cursor's line, top to bottom."""
    above = [line for line in before[-REACH:].splitlines() if line.strip()]
    below = [line for line in after[:REACH].splitlines() if line.strip()]
    return above[-ABOVE:], below[:BELOW]


def query_at(before: str, after: str, rarity: Callable[[str], float]) -> Query:
    """Ask for code like that around a cursor, from the texts before and after its line.

    ``rarity``: how much a term tells; 0 for one that is too common.
    """
    above, below = text_around(before, after)
    weights: dict[str, float] = {}
    for distance, line in enumerate((*reversed(above), *below)):
        nearness = 1.0 if distance < min(NEAREST, len(above)) else FARTHER
        for term in terms_of(line):
            weights[term] = max(nearness, weights.get(term, 0.0))
    weights = {term: nearness * rarity(term) for term, nearness in weights.items()}
    nearest = tuple(frozenset(terms_of(line)) for line in reversed(above[-len(LINE_WORTH) :]))
    return Query(weights, nearest, frozenset(line.strip() for line in (*above, *below)))


def inverse_frequency(windows: int, total: int) -> float:
    """Return how much a term tells that so many of ``total`` windows have, as BM25 has it.

    Robertson and Zaragoza 2009, "The Probabilistic Relevance Framework", equation 3.
    """
    return math.log(1.0 + (total - windows + 0.5) / (windows + 0.5)) if windows <= total else 0.0


def best_match(path: str, lines: Sequence[str], first: int, end: int, query: Query) -> Match | None:
    """Return the place in the lines from ``first`` up to ``end`` that is most like those above the cursor."""
    solid = [at for at in range(first, min(end, len(lines))) if lines[at].strip()]
    if not solid:
        return None
    terms = [frozenset(terms_of(lines[at])) for at in solid]
    coverage = query.coverage(frozenset().union(*terms))
    alignment, at = max((_alignment(terms, at, query), -at) for at in range(len(solid)))
    return Match(path, lines, solid[-at], (coverage + alignment) / 2)


def _alignment(terms: Sequence[frozenset[str]], at: int, query: Query) -> float:
    """Return how alike the lines up to ``at`` are to those above the cursor, from 0 to 1."""
    pairs = zip(LINE_WORTH, query.above, _upwards(terms, at), strict=False)
    found = sum(worth * query.likeness(one, other) for worth, one, other in pairs)
    return found / sum(LINE_WORTH)


def _upwards(terms: Sequence[frozenset[str]], at: int) -> Iterator[frozenset[str]]:
    return (terms[index] for index in range(at, -1, -1))
