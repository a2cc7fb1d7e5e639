"""Figures of a run with 95 % intervals over files, and paired differences between its two contexts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from fractions import Fraction

import numpy as np

from copilot_server.evaluation.paired import sign_flip_p
from copilot_server.evaluation.passk import bootstrap_interval
from copilot_server.evaluation.repository.types import (
    KINDS,
    Asked,
    Context,
    Cost,
    Difference,
    Done,
    Figure,
    Kind,
    Outcome,
)
from copilot_server.statistics.proportion import wilson_interval

EXACT, SIMILARITY, SIMILARITY_ALL = "exact first line", "edit similarity", "similarity, all lines"
SHOWN, PRECISION, SAVED = "shown", "exact of the shown", "keystrokes saved"
WITHHELD, KEPT, OFFERED = "wrong ones withheld", "right ones shown", "code of other files"
NAMES = (EXACT, SIMILARITY, SIMILARITY_ALL, SHOWN, PRECISION, WITHHELD, KEPT, SAVED, OFFERED)

#: How finely a similarity is counted for the exact test.
_PARTS = 200

#: What an outcome adds to a figure, and over how much; None if the figure does not apply to it.
_Counted = Callable[[Done, Outcome], tuple[int, int] | None]


def _saved(_: Done, one: Outcome) -> tuple[int, int] | None:
    typed = one.answer.typed
    return (
        None if typed is None or not typed.characters else (typed.characters - typed.keys, typed.characters)
    )


def _similarity_all(done: Done, one: Outcome) -> tuple[int, int] | None:
    return (round(_PARTS * one.similarity_all), _PARTS) if "\n" in done.task.removed else None


_COUNTED: dict[str, _Counted] = {
    EXACT: lambda _, one: (int(one.exact), 1),
    SIMILARITY: lambda _, one: (round(_PARTS * one.similarity), _PARTS),
    SIMILARITY_ALL: _similarity_all,
    SHOWN: lambda _, one: (int(one.answer.shown), 1),
    PRECISION: lambda _, one: (int(one.exact), 1) if one.answer.shown else None,
    WITHHELD: lambda _, one: (int(not one.answer.shown), 1) if one.answer.text and not one.right else None,
    KEPT: lambda _, one: (int(one.answer.shown), 1) if one.right else None,
    SAVED: _saved,
    OFFERED: lambda _, one: (int(one.answer.snippets > 0), 1) if one.context == "on" else None,
}
#: Figures over the suggestions, which differ from one context to the other.
_UNPAIRED = {PRECISION, WITHHELD, KEPT}


def figures(done: Sequence[Done]) -> list[Figure]:
    """Return the figures of each kind and context."""
    return [
        figure
        for kind in KINDS
        for context in contexts_of(done)
        for name in NAMES
        if (figure := _figure(_of(done, kind, context), kind, context, name)) is not None
    ]


def contexts_of(done: Sequence[Done]) -> tuple[Context, ...]:
    """Return the contexts that the tasks were asked with."""
    return tuple(dict.fromkeys(one.context for each in done for one in each.outcomes))


def differences(done: Sequence[Done]) -> list[Difference]:
    """Return the differences that context makes, where tasks were asked with and without it."""
    pairs = [(one, *one.outcomes) for one in done if len(one.outcomes) == 2]
    return paired_differences([(one, without, one, with_it) for one, without, with_it in pairs])


def paired_differences(pairs: Sequence[tuple[Done, Outcome, Done, Outcome]]) -> list[Difference]:
    """Return the second outcome's figures minus the first's, by kind, over the same tasks."""
    return [
        difference
        for kind in KINDS
        for name in NAMES
        if name not in _UNPAIRED
        and (difference := _difference([one for one in pairs if one[0].task.kind == kind], kind, name))
    ]


def costs(done: Sequence[Done]) -> list[Cost]:
    """Return what the requests of each kind and context cost."""
    cells = [(kind, context, _of(done, kind, context)) for kind in KINDS for context in contexts_of(done)]
    return [_cost(kind, context, [one for _, one in found]) for kind, context, found in cells if found]


def unwanted(done: Sequence[Done]) -> dict[str, dict[str, int]]:
    """Return by context how many of the suggestions shown are of a kind that nobody wants."""
    found = {}
    for context in contexts_of(done):
        outcomes = [one for each in done for one in each.outcomes if one.context == context]
        found[str(context)] = {
            "shown": sum(one.answer.shown for one in outcomes),
            "comment after an open bracket": sum(one.comment_in_bracket for one in outcomes),
            "line above repeated": sum(one.repeats_line_above for one in outcomes),
            "name that does not exist": sum(one.answer.shows_missing for one in outcomes),
            "such names before their filter": sum(bool(one.answer.missing) for one in outcomes),
        }
    return found


def _of(done: Sequence[Done], kind: Kind, context: Context) -> list[tuple[Done, Outcome]]:
    of_kind = [each for each in done if each.task.kind == kind]
    return [(each, one) for each in of_kind for one in each.outcomes if one.context == context]


def _figure(found: Sequence[tuple[Done, Outcome]], kind: Kind, context: Context, name: str) -> Figure | None:
    counted = [(each.task.path, one) for each, found_one in found if (one := _COUNTED[name](each, found_one))]
    if not counted:
        return None
    sums, counts = _by_file(counted)
    low, high = _interval(sums, counts)
    value = float(sum(sums) / sum(counts))
    return Figure(kind, context, name, value, low, high, len(counted), len(sums))


def _interval(sums: Sequence[Fraction], counts: Sequence[int]) -> tuple[float, float]:
    """Return a 95 % interval over files: Wilson's for one right or wrong task a file, else a bootstrap."""
    if all(count == 1 for count in counts):
        return wilson_interval(int(sum(sums)), len(counts))
    return bootstrap_interval([float(one) for one in sums], counts)


def _difference(
    pairs: Sequence[tuple[Done, Outcome, Done, Outcome]], kind: Kind, name: str
) -> Difference | None:
    befores, afters = [], []
    for done, one, other_done, other in pairs:
        counted, other_counted = _COUNTED[name](done, one), _COUNTED[name](other_done, other)
        if counted and other_counted:
            # Both have the same weight, which is that of the first.
            weight = counted[1]
            befores.append((done.task.path, counted))
            afters.append((done.task.path, (Fraction(*other_counted) * weight, weight)))
    if not befores:
        return None
    (before, counts), (after, _) = _by_file(befores), _by_file(afters)
    sums = [second - first for first, second in zip(before, after, strict=True)]
    low, high = bootstrap_interval([float(one) for one in sums], counts)
    earlier, later, change = (float(sum(one) / sum(counts)) for one in (before, after, sums))
    return Difference(kind, name, earlier, later, change, low, high, len(sums), sign_flip_p(sums))


def _by_file(counted: Iterable[tuple[str, tuple[Fraction | int, int]]]) -> tuple[list[Fraction], list[int]]:
    """Return what each file adds up to, and over how much."""
    sums: defaultdict[str, Fraction] = defaultdict(Fraction)
    counts: defaultdict[str, int] = defaultdict(int)
    for path, (value, count) in counted:
        sums[path] += value
        counts[path] += count
    return list(sums.values()), list(counts.values())


def _cost(kind: Kind, context: Context, found: Sequence[Outcome]) -> Cost:
    first = [one.answer.first for one in found if one.answer.first.source != "none"]
    later = [asked for one in found for asked in one.answer.later if asked.source != "none"]
    by_model = [asked for asked in later if asked.source == "model"]
    return Cost(
        kind=kind,
        context=context,
        first_p50_s=_percentile(first, 50),
        first_p90_s=_percentile(first, 90),
        next_p50_s=_percentile(later, 50),
        next_p90_s=_percentile(later, 90),
        next_cached=1 - len(by_model) / len(later) if later else None,
        prompt_tokens=_mean(asked.prompt_tokens for asked in first),
        new_tokens=_mean(asked.new_tokens for asked in by_model),
    )


def _percentile(asked: Sequence[Asked], percent: int) -> float | None:
    return float(np.percentile([one.wall_s for one in asked], percent)) if asked else None


def _mean(values: Iterator[int | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None
