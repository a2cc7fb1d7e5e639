"""``copilot-server compare A.json B.json``: how far apart two runs over the same tasks are, and on which.

Names come from files that anyone may have written. They reach the terminal only through ``shown``.
"""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.table import Table

from copilot_server.errors import DataError
from copilot_server.evaluation.paired import Pair, PairedDifference, paired_difference
from copilot_server.evaluation.report.console import console_on, shown
from copilot_server.evaluation.report.json_report import read_report
from copilot_server.evaluation.results import Report
from copilot_server.evaluation.tasks import Task

#: As for a score below its threshold.
EXIT_WORSE = 10
SIGNIFICANCE = 0.05

#: What should be the same in both runs for a difference to be the model's.
_SETTINGS = ("benchmark", "data", "prompt", "check", "top_p", "max_new_tokens", "dtype", "sandbox")
#: What makes a task what it is; its canonical solution decides nothing.
_TASK_TEXTS = ("prefix", "suffix", "test", "entry_point", "setup")

Tallies = dict[str, tuple[int, int]]


@dataclass(frozen=True, slots=True)
class Row:
    """One part of the two runs: a variant at a temperature of each, None if its samples do not say.

    ``gained``: the tasks that the second run passed at least once and the first never; ``lost``: the reverse.
    """

    variant: str
    temperature_a: float | None
    temperature_b: float | None
    pass_at_1_a: float
    pass_at_1_b: float
    difference: PairedDifference
    gained: tuple[str, ...]
    lost: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two runs side by side. ``warnings``: what else differs than the difference that was looked for."""

    rows: tuple[Row, ...]
    warnings: tuple[str, ...]

    @property
    def worse(self) -> bool:
        """Whether the second run is significantly worse in a row, by Bonferroni's correction for several."""
        return any(
            row.difference.value < 0
            and row.difference.p_value is not None
            and row.difference.p_value * len(self.rows) < SIGNIFICANCE
            for row in self.rows
        )


def run(a: Path, b: Path, *, as_json: bool, fail_if_worse: bool = False) -> int:
    """Print how the second run compares with the first; return the process's exit code.

    Raises:
        DataError: a file is no report, or the runs have nothing in common that could be compared.
    """
    reports = read_report(a), read_report(b)
    found = compare(*reports)
    if as_json:
        sys.stdout.write(json.dumps(_as_json(found, (a, b), reports), indent=2) + "\n")
    else:
        _print(found, (a, b), reports)
    return EXIT_WORSE if fail_if_worse and found.worse else 0


def compare(a: Report, b: Report) -> Comparison:
    """Compare two runs over the tasks that both have.

    Raises:
        DataError: they share no task or no temperature.
    """
    tasks = _shared_tasks(a, b)
    rows = [
        _row(variant, group, temperatures, (a, b))
        for temperatures in _temperatures(a, b)
        for variant, group in _by_variant(tasks).items()
    ]
    return Comparison(tuple(row for row in rows if row is not None), tuple(_warnings(a, b, tasks)))


def _shared_tasks(a: Report, b: Report) -> list[Task]:
    ids_b = {task.task_id for task in b.tasks}
    shared = [task for task in a.tasks if task.task_id in ids_b]
    if shared:
        return shared
    raise DataError(
        f"The runs have no task in common: one is {_what(a)}, the other {_what(b)}.",
        remedy="Compare runs of one benchmark over one problem set.",
    )


def _what(report: Report) -> str:
    first = repr(report.tasks[0].task_id) if report.tasks else "none"
    asked = report.protocol
    return f"{asked.benchmark!r} over {len(report.tasks)} tasks of {asked.data!r} (first {first})"


def _temperatures(a: Report, b: Report) -> list[tuple[float | None, float | None]]:
    """The temperatures of both runs, each beside the one it is compared with."""
    of_a, of_b = (list(dict.fromkeys(one.sample.temperature for one in report.samples)) for report in (a, b))
    shared = [one for one in of_a if one in of_b]
    if shared:
        return [(one, one) for one in shared]
    if len(of_a) == len(of_b) == 1:
        return [(of_a[0], of_b[0])]
    told = " and ".join(", ".join(map(_degrees, ones)) or "no samples" for ones in (of_a, of_b))
    raise DataError(f"The runs have no temperature in common: {told}.", remedy="Run both at one of them.")


def _by_variant(tasks: Sequence[Task]) -> dict[str, list[Task]]:
    variants: defaultdict[str, list[Task]] = defaultdict(list)
    for task in tasks:
        variants[task.variant].append(task)
    return dict(variants)


def _row(
    variant: str,
    tasks: Sequence[Task],
    temperatures: tuple[float | None, float | None],
    reports: tuple[Report, Report],
) -> Row | None:
    of_a, of_b = (_tallies(report, at) for report, at in zip(reports, temperatures, strict=True))
    both = [task for task in tasks if task.task_id in of_a and task.task_id in of_b]
    if not both:
        return None
    pairs = [Pair(task.problem_id, *of_a[task.task_id], *of_b[task.task_id]) for task in both]
    passed = [(task.task_id, of_a[task.task_id][1] > 0, of_b[task.task_id][1] > 0) for task in both]
    return Row(
        variant,
        *temperatures,
        sum(pair.correct_a / pair.samples_a for pair in pairs) / len(pairs),
        sum(pair.correct_b / pair.samples_b for pair in pairs) / len(pairs),
        paired_difference(pairs),
        gained=tuple(name for name, in_a, in_b in passed if in_b and not in_a),
        lost=tuple(name for name, in_a, in_b in passed if in_a and not in_b),
    )


def _tallies(report: Report, temperature: float | None) -> Tallies:
    """How many samples of each task there are at a temperature, and how many of them passed."""
    tallies: defaultdict[str, list[bool]] = defaultdict(list)
    for one in report.samples:
        if one.sample.temperature == temperature:
            tallies[one.sample.task_id].append(one.passed)
    return {task_id: (len(passed), sum(passed)) for task_id, passed in tallies.items()}


def _warnings(a: Report, b: Report, tasks: Sequence[Task]) -> Iterator[str]:
    if len(tasks) < max(len(a.tasks), len(b.tasks)):
        sizes = f"{len(a.tasks)} and {len(b.tasks)}"
        yield f"The runs are over {sizes} tasks; compared are the {len(tasks)} that both have."
    others = {task.task_id: task for task in b.tasks}
    changed = [task for task in tasks if _texts(task) != _texts(others[task.task_id])]
    if changed:
        yield f"{len(changed)} of the tasks are asked or tested otherwise, first {changed[0].task_id!r}."
    for name in _SETTINGS:
        one, other = getattr(a.protocol, name), getattr(b.protocol, name)
        if one != other:
            yield f"{name} differs: {one!r} and {other!r}."
    for temperature_a, temperature_b in _temperatures(a, b):
        if temperature_a != temperature_b:
            yield f"The temperature differs: {_degrees(temperature_a)} and {_degrees(temperature_b)}."


def _texts(task: Task) -> tuple[str, ...]:
    return tuple(getattr(task, name) for name in _TASK_TEXTS)


def _degrees(temperature: float | None) -> str:
    return "not said" if temperature is None else f"{temperature:g}"


def _as_json(found: Comparison, paths: tuple[Path, Path], reports: tuple[Report, Report]) -> dict[str, Any]:
    runs = [
        {"file": str(path), "model": report.protocol.model, "started": report.started}
        for path, report in zip(paths, reports, strict=True)
    ]
    return {
        "a": runs[0],
        "b": runs[1],
        "worse": found.worse,
        "warnings": list(found.warnings),
        "rows": [asdict(row) for row in found.rows],
    }


def _print(found: Comparison, paths: tuple[Path, Path], reports: tuple[Report, Report]) -> None:
    console = console_on(sys.stdout)
    for name, path, report in zip("AB", paths, reports, strict=True):
        console.print(shown(f"{name}: {report.protocol.model}, {report.started} ({path})"), soft_wrap=True)
    console.print(_table(found))
    tests = " and ".join(dict.fromkeys(row.difference.test for row in found.rows))
    console.print(f"difference: B less A in points, by bootstrap over problems; p: {tests}", soft_wrap=True)
    for row in found.rows:
        part = ", ".join(filter(None, (row.variant, _at(row) and f"T {_at(row)}")))
        for what, names in (("gained", row.gained), ("lost", row.lost)):
            listed = ", ".join(names) or "none"
            console.print(
                shown(f"{part + ': ' if part else ''}{what} {len(names)}: {listed}"), soft_wrap=True
            )
    for warning in found.warnings:
        console.print(shown(f"Note: {warning}"), soft_wrap=True)


def _table(found: Comparison) -> Table:
    table = Table(title="pass@1")
    columns = [
        ("variant", [row.variant for row in found.rows]),
        ("T", [_at(row) for row in found.rows]),
        ("A", [f"{row.pass_at_1_a:.1%}" for row in found.rows]),
        ("B", [f"{row.pass_at_1_b:.1%}" for row in found.rows]),
        ("difference", [f"{100 * row.difference.value:+.1f}" for row in found.rows]),
        ("95 % interval", [_interval(row.difference) for row in found.rows]),
        ("p", [_chance(row.difference.p_value) for row in found.rows]),
        ("gained", [str(len(row.gained)) for row in found.rows]),
        ("lost", [str(len(row.lost)) for row in found.rows]),
        ("tasks", [str(row.difference.tasks) for row in found.rows]),
    ]
    kept = [(name, cells) for name, cells in columns if any(cells)]
    for name, _ in kept:
        table.add_column(name, justify="left" if name == "variant" else "right")
    for cells in zip(*(cells for _, cells in kept), strict=True):
        table.add_row(*map(shown, cells))
    return table


def _at(row: Row) -> str:
    """The temperature where it is worth a word."""
    if row.temperature_a != row.temperature_b:
        return f"{_degrees(row.temperature_a)} and {_degrees(row.temperature_b)}"
    return "" if not row.temperature_a else f"{row.temperature_a:g}"


def _interval(difference: PairedDifference) -> str:
    return f"{100 * difference.low:+.1f} to {100 * difference.high:+.1f}"


def _chance(p_value: float | None) -> str:
    if p_value is None:
        return "-"
    return "< 0.0001" if p_value < 0.0001 else f"{p_value:.4f}"
