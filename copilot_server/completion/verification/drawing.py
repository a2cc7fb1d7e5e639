"""How many candidates are drawn, and which of them comes first, once examples can be checked.

The first candidate is greedy. Others are drawn only if it fails an example, in rounds, until one passes or
the budget is spent.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # each command reads the budget at its start, and needs neither readers nor sandbox for it
    from collections.abc import Iterator, Sequence

    from copilot_server.completion.examples import Verdicts

#: The most candidates of one position, greedy one and others.
BUDGET = 8
#: No round begins in an editor once so many seconds have passed since its first candidates were checked.
EDITOR_S = 8.0


@dataclass(frozen=True, slots=True)
class Round:
    """Candidates that are drawn together, after which the examples are checked: all at one temperature."""

    samples: int
    temperature: float


#: Small rounds first: most functions are solved by one of the first few candidates or by none.
ROUNDS = (Round(1, 0.0), Round(3, 0.8), Round(4, 0.8))


def rounds_within(budget: int, drawn: int = 0) -> Iterator[Round]:
    """Yield the rounds of ``budget`` candidates; past those of ``ROUNDS``, the last is repeated.

    ``drawn``: how many of them are there already. The round that these end in is only completed.
    """
    end = number = 0
    while end < budget:
        planned = ROUNDS[min(number, len(ROUNDS) - 1)]
        begin, end = max(end, drawn), min(end + planned.samples, budget)
        if begin < end:
            yield Round(end - begin, planned.temperature)
        number += 1


def is_settled(examined: Sequence[Verdicts]) -> bool:
    """Whether drawing others can gain nothing: one passes, or none fails an example.

    One whose examples could not be checked settles nothing where another fails them.
    """
    outcomes = {one.outcome for one in examined}
    return "passed" in outcomes or "failed" not in outcomes


def best(examined: Sequence[Verdicts], certainties: Sequence[float]) -> int:
    """Return the index of the candidate to show first: by examples failed and passed, then by certainty.

    ``certainties``: the candidates' mean log-probabilities. Of two that are alike in all of it, the earlier
    comes first, so that the greedy one gives way only to one that does better by the examples.
    """
    return max(
        range(len(examined)),
        key=lambda at: (-len(examined[at].failed), len(examined[at].passed), at == 0, certainties[at], -at),
    )
