"""How many drafted tokens are worth verifying: by what steps cost, and how often drafts have been right."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

#: Matches of this many tokens and more are taken together.
LONGEST_MATCH = 16
#: How often a draft is right after a match of two tokens and after the longest, before any was verified.
FIRST_RATES = (0.45, 0.95)
#: How many drafts the rates above count as, and by what a draft counts less with each later one.
PRIOR_DRAFTS, KEPT = 8.0, 0.99
#: The share of a step's error by which its expected time is corrected.
CORRECTED = 0.1
#: Of so many times that no draft seems worthwhile, one is tried at the last: what was learned while the
#: machine was busy, or of another text, does not hold for ever.
DECLINED = 32
#: Steps with more tokens read prompts, which says little of what a draft costs.
MOST_TIMED_TOKENS = 32


class StepTimes:
    """The expected time of a step: that of one token, and what each further one adds to it.

    It follows the steps that are taken: one of a single token corrects the whole, the others what further
    tokens cost.

    Args:
        alone_s: The seconds that a step of one token is expected to take at first.
        further_s: The seconds that each further token is expected to add.
    """

    def __init__(self, alone_s: float, further_s: float) -> None:
        self.alone_s = alone_s
        self.further_s = further_s

    def of(self, tokens: int) -> float:
        """The seconds that a step of ``tokens`` tokens takes."""
        return self.alone_s + (tokens - 1) * self.further_s

    def record(self, tokens: int, took_s: float) -> None:
        """Learn how long a step took. What took twice as long as expected, or longer, was disturbed."""
        if not 0 < tokens <= MOST_TIMED_TOKENS:
            return
        expected_s = self.of(tokens)
        change_s = CORRECTED * (min(took_s, 2 * expected_s) - expected_s)
        if tokens > 1:
            self.further_s = max(0.0, self.further_s + change_s / (tokens - 1))
            return
        self.further_s *= 1 + change_s / self.alone_s
        self.alone_s += change_s


class DraftRates:
    """How often a drafted token is right, by the length of the match that it follows.

    Where a draft's first token is right, the second one follows a match that is longer by one.
    """

    def __init__(self) -> None:
        self._first = np.interp(range(LONGEST_MATCH + 1), (2, LONGEST_MATCH), FIRST_RATES).tolist()
        self._tried = [0.0] * (LONGEST_MATCH + 1)
        self._right = [0.0] * (LONGEST_MATCH + 1)

    def of(self, matched: int) -> float:
        """The share of drafts that are right after a match of ``matched`` tokens."""
        at = min(matched, LONGEST_MATCH)
        return (self._right[at] + PRIOR_DRAFTS * self._first[at]) / (self._tried[at] + PRIOR_DRAFTS)

    def record(self, matched: int, drafted: int, right: int) -> None:
        """Learn that ``right`` of ``drafted`` tokens were right; what follows a wrong one tells nothing."""
        for position in range(min(right + 1, drafted)):
            at = min(matched + position, LONGEST_MATCH)
            self._tried[at] = KEPT * self._tried[at] + 1
            self._right[at] = KEPT * self._right[at] + (position < right)


@dataclass(slots=True)
class PlannedStep:
    """A step so far: its tokens, and how many tokens the candidates are expected to gain from it."""

    tokens: int
    expected: float
    drafted: int = 0


class DraftLengths:
    """Decides how many drafts each step verifies.

    One more is worthwhile if the step's expected tokens per second rise: if its chance to be right, with all
    those before it, is larger than the share that it adds to the step's time, times the tokens expected so
    far.

    Args:
        most: The most drafts of one step; 0 for none.
        times: What steps cost; None where a draft costs nothing that matters. Drafts are then as long as the
            match: they grow with each that was right to its end, and start again from two tokens after one
            that was not.
    """

    def __init__(self, most: int, times: StepTimes | None = None) -> None:
        self._most = most
        self._times = times
        self._rates = DraftRates()
        self._declined = 0

    def worthwhile(self, matched: int, step: PlannedStep, sharing: int = 1) -> int:
        """How many drafts after a match of ``matched`` tokens are worth adding to ``step``.

        ``sharing``: how many candidates share what is left of the most drafts of a step, this one included.
        """
        most = (self._most - step.drafted) // sharing
        if self._times is None:
            return min(most, matched)
        likely, expected, tokens, count = 1.0, step.expected, step.tokens, 0
        while count < most:
            likely *= self._rates.of(matched + count)
            if likely * self._times.of(tokens) <= expected * self._times.further_s:
                break
            expected, tokens, count = expected + likely, tokens + 1, count + 1
        return count or min(most, self._tries_anyway())

    def _tries_anyway(self) -> bool:
        self._declined = (self._declined + 1) % DECLINED
        return self._declined == 0

    def add(self, matched: int, drafted: int, step: PlannedStep) -> None:
        """Add ``drafted`` drafts after a match of ``matched`` tokens to ``step``."""
        likely = 1.0
        for position in range(drafted):
            likely *= self._rates.of(matched + position)
            step.expected += likely
        step.tokens += drafted
        step.drafted += drafted

    def record(self, matched: int, drafted: int, right: int) -> None:
        """Learn what became of a draft."""
        self._rates.record(matched, drafted, right)

    def record_step(self, tokens: int, took_s: float) -> None:
        """Learn how long a step took."""
        if self._times:
            self._times.record(tokens, took_s)
