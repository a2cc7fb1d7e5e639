"""The figures of several repositories in one table: an earlier version, then without and with context.

    copilot-server --selftest repository FOLDER --context off --json before/NAME.json    (the earlier version)
    copilot-server --selftest repository FOLDER --json after/NAME.json                   (this one)
    python -m benchmarks.repository_table --before before/*.json --after after/*.json

The runs of both versions need the same tasks: the same commits, seed and limit. All rows but the last count
the suggestions before the gate decides, so that they differ in what the model writes alone; what depends on
what was shown is left out of them. The last one, "as shown", is with the gate. Intervals are over the files
of all repositories together, and p is from the exact sign-flip test over files of the exact first lines
against the row above.

With ``--gate MODEL`` a further table says which of the suggestions with context the gate in that model's
manifest now shows at each eagerness. It may have changed since the reports were made.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from copilot_server.catalog import resolve
from copilot_server.evaluation.repository.certainty import by_eagerness
from copilot_server.evaluation.repository.report import read_done
from copilot_server.evaluation.repository.scores import (
    EXACT,
    KEPT,
    PRECISION,
    SAVED,
    SHOWN,
    SIMILARITY,
    WITHHELD,
    figures,
    paired_differences,
)
from copilot_server.evaluation.repository.types import (
    KINDS,
    Context,
    Done,
    EagernessFigure,
    Figure,
    Kind,
    Outcome,
)

NAMES = (EXACT, PRECISION, SIMILARITY, SHOWN, WITHHELD, KEPT, SAVED)
#: The figures that do not depend on the gate.
BEFORE_GATE = frozenset({EXACT})


@dataclass(frozen=True, slots=True)
class Step:
    """Each task with one outcome: ``done`` is in the order of the tasks' names."""

    title: str
    done: tuple[Done, ...]
    names: frozenset[str] = frozenset(NAMES)


def main() -> None:
    """Print a table for each kind of task."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--before", type=Path, nargs="*", default=[], metavar="REPORT")
    parser.add_argument("--after", type=Path, nargs="+", required=True, metavar="REPORT")
    parser.add_argument("--gate", metavar="MODEL", help="the id of a model whose gate judges them again")
    options = parser.parse_args()
    before, after = _read(options.before), _read(options.after)
    if before:
        common = {_key(one) for one in before} & {_key(one) for one in after}
        before, after = ([one for one in done if _key(one) in common] for done in (before, after))
    for kind in KINDS:
        steps = list(_steps(before, after, kind))
        if steps:
            print(table(kind, steps))
    if options.gate is not None:
        print(gate_table(by_eagerness(after, resolve(options.gate).manifest.gate)))


def _read(paths: Sequence[Path]) -> list[Done]:
    """Return the tasks of all reports, with the repository's name in their paths."""
    return [
        replace(one, task=replace(one.task, path=f"{_name(path)}/{one.task.path}"))
        for path in paths
        for one in read_done(path)[1]
    ]


def _name(path: Path) -> str:
    return path.stem.partition("_")[2] or path.stem


def _key(one: Done) -> tuple[str, str, str]:
    return one.task.path, one.task.task_id, one.task.removed


def _steps(before: Sequence[Done], after: Sequence[Done], kind: Kind) -> Iterator[Step]:
    if earlier := _only(before, kind, None):
        yield Step("before", earlier)
    contexts: tuple[tuple[Context, str], ...] = (("off", "without context"), ("on", "with context"))
    for context, title in contexts:
        if now := _only(after, kind, context):
            yield Step(title, _whatever_the_gate(now), BEFORE_GATE)
    if now:
        yield Step("as shown", now)


def _only(done: Sequence[Done], kind: Kind, context: Context | None) -> tuple[Done, ...]:
    """Return the tasks of a kind with their outcome in a context; None for the only one."""
    found = (
        replace(one, outcomes=tuple(each for each in one.outcomes if context in {None, each.context}))
        for one in done
        if one.task.kind == kind
    )
    return tuple(sorted((one for one in found if one.outcomes), key=_key))


def _whatever_the_gate(done: Sequence[Done]) -> tuple[Done, ...]:
    return tuple(replace(one, outcomes=tuple(map(_as_offered, one.outcomes))) for one in done)


def _as_offered(one: Outcome) -> Outcome:
    return replace(one, exact=one.right and (one.answer.offered or one.answer.shown))


def table(kind: Kind, steps: Sequence[Step]) -> str:
    """Return the figures of one kind of task as Markdown, in per cent."""
    lines = [
        f"| {kind} ({len(steps[0].done)} tasks) | {' | '.join(NAMES)} | p |",
        f"|---{'|---' * (len(NAMES) + 1)}|",
    ]
    for number, step in enumerate(steps):
        found = {one.name: one for one in figures(step.done)}
        cells = " | ".join(_cell(found.get(name) if name in step.names else None) for name in NAMES)
        lines.append(f"| {step.title} | {cells} | {_p(steps[number - 1], step) if number else ''} |")
    return "\n".join([*lines, ""])


def gate_table(found: Sequence[EagernessFigure]) -> str:
    """Return what a gate shows with context as Markdown, in per cent."""
    names = (EXACT, SHOWN, PRECISION, WITHHELD, KEPT)
    rows: dict[tuple[str, str], dict[str, EagernessFigure]] = {}
    for one in found:
        if one.context == "on":
            rows.setdefault((one.kind, one.eagerness), {})[one.name] = one
    lines = [f"| kind, eagerness | {' | '.join(names)} |", f"|---{'|---' * len(names)}|"]
    for (kind, eagerness), figures_ in rows.items():
        cells = " | ".join(_cell(figures_.get(name)) for name in names)
        lines.append(f"| {kind}, {eagerness} | {cells} |")
    return "\n".join([*lines, ""])


def _cell(figure: Figure | EagernessFigure | None) -> str:
    if figure is None:
        return ""
    return f"{100 * figure.value:.1f} ({100 * figure.low:.1f} to {100 * figure.high:.1f})"


def _p(one: Step, other: Step) -> str:
    pairs = [
        (first, first.outcomes[0], second, second.outcomes[0])
        for first, second in zip(one.done, other.done, strict=True)
    ]
    found = next(each for each in paired_differences(pairs) if each.name == EXACT)
    return "" if found.p_value is None else f"{found.p_value:.3f}"


if __name__ == "__main__":
    main()
