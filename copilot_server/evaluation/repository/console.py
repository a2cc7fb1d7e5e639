"""A run over a repository on the terminal. What files and models say reaches it only through ``shown``."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence

from rich.box import SIMPLE_HEAD
from rich.table import Table

from copilot_server.evaluation.report.console import ShareBar, console_on, facts_table, shown
from copilot_server.evaluation.repository.scores import NAMES
from copilot_server.evaluation.repository.types import (
    Context,
    Cost,
    Difference,
    Done,
    EagernessFigure,
    Figure,
    Kind,
    RepositoryReport,
)

#: Where a bar cannot be drawn, as in a CI log, a line is printed for so many tasks.
LOG_EVERY = 10
_NAMES: dict[Context, str] = {"off": "without context", "on": "with context"}


def print_report(report: RepositoryReport, *, to_stderr: bool = False) -> None:
    """Print the tables of a run on stdout, or on stderr where stdout belongs to the JSON."""
    console = console_on(sys.stderr if to_stderr else sys.stdout)
    console.print(_figures(report))
    if report.eagerness:
        console.print(_eagerness(report.eagerness))
    console.print(_costs(report.costs))
    console.print(facts_table(_fact_rows(report)))
    for note in report.notes:
        console.print(shown(note), soft_wrap=True)


def difference_table(differences: Sequence[Difference], title: str) -> Table:
    """Return paired differences of two runs, in points, with their intervals and p-values."""
    table = Table(title=shown(title))
    for name in ("kind", "figure"):
        table.add_column(name)
    for name in ("A", "B", "difference (95 % interval)", "p", "files"):
        table.add_column(name, justify="right")
    for one in differences:
        values = (f"{100 * value:.1f} %" for value in (one.before, one.after))
        table.add_row(one.kind, one.name, *values, change(one), chance(one), str(one.files))
    return table


def change(one: Difference) -> str:
    """Return a difference in points with its interval."""
    return f"{100 * one.value:+.1f} ({100 * one.low:+.1f} to {100 * one.high:+.1f})"


def chance(one: Difference) -> str:
    """Return a p-value; nothing if it is not known."""
    if one.p_value is None:
        return ""
    return f"{one.p_value:.3f}" if one.p_value >= 0.001 else "< 0.001"


def _figures(report: RepositoryReport) -> Table:
    table = Table(title=shown(f"{report.folder}: {report.model}"), box=SIMPLE_HEAD)
    table.add_column("figure")
    for context in report.contexts:
        table.add_column(_NAMES[context], justify="right")
    if report.differences:
        for name in ("difference", "p"):
            table.add_column(name, justify="right")
    table.add_column("of", justify="right")
    for kind in dict.fromkeys(one.kind for one in report.figures):
        table.add_row(f"[bold]{kind}")
        for cells in _rows(report, kind):
            table.add_row(f"  {cells[0]}", *cells[1:])
    return table


def _rows(report: RepositoryReport, kind: Kind) -> Iterator[list[str]]:
    figures = {(one.name, one.context): one for one in report.figures if one.kind == kind}
    differences = {one.name: one for one in report.differences if one.kind == kind}
    for name in NAMES:
        found = [figures.get((name, context)) for context in report.contexts]
        known = [one for one in found if one is not None]
        if not known:
            continue
        cells = [name, *map(_cell, found)]
        if report.differences:
            difference = differences.get(name)
            cells += [change(difference), chance(difference)] if difference else ["", ""]
        yield [*cells, str(known[0].count)]


def _cell(figure: Figure | None) -> str:
    if figure is None:
        return ""
    return f"{100 * figure.value:.1f} % ({100 * figure.low:.1f} to {100 * figure.high:.1f})"


def _eagerness(figures: Sequence[EagernessFigure]) -> Table:
    names = [name for name in NAMES if any(one.name == name for one in figures)]
    table = Table(title="what the gate shows, by eagerness", box=SIMPLE_HEAD)
    for name in ("kind", "context", "eagerness"):
        table.add_column(name)
    for name in names:
        table.add_column(name, justify="right")
    cells = {(one.kind, one.context, one.eagerness, one.name): one for one in figures}
    for kind, context, eagerness in dict.fromkeys((one.kind, one.context, one.eagerness) for one in figures):
        found = [cells.get((kind, context, eagerness, name)) for name in names]
        table.add_row(kind, context, eagerness, *("" if one is None else f"{one.value:.1%}" for one in found))
    return table


def _costs(costs: Sequence[Cost]) -> Table:
    table = Table(title="requests: seconds at p50 and p90, tokens in the mean")
    table.add_column("kind")
    table.add_column("context")
    for name in ("first", "next key", "from the cache", "prompt", "new at a key"):
        table.add_column(name, justify="right")
    for one in costs:
        table.add_row(
            *(one.kind, one.context),
            _seconds(one.first_p50_s, one.first_p90_s),
            _seconds(one.next_p50_s, one.next_p90_s),
            "" if one.next_cached is None else f"{one.next_cached:.0%}",
            *("" if value is None else f"{value:.0f}" for value in (one.prompt_tokens, one.new_tokens)),
        )
    return table


def _seconds(p50: float | None, p90: float | None) -> str:
    return "" if p50 is None or p90 is None else f"{p50:.2f}, {p90:.2f}"


def _fact_rows(report: RepositoryReport) -> Iterator[tuple[str, str]]:
    tasks = report.done
    yield "tasks", f"{len(tasks)} in {len({one.task.path for one in tasks})} files"
    for context, counts in report.unwanted.items():
        unwanted = ", ".join(f"{name} {count}" for name, count in counts.items() if name != "shown")
        yield f"unwanted, context {context}", f"{unwanted} (of {counts['shown']} shown)"
    yield "answers leaked into prompts", str(report.leaks)
    details = [one for one in (report.device, report.dtype, report.instruction_set) if one]
    yield "model", f"{report.model} ({', '.join(details)})"
    yield "hardware", report.hardware
    for notice in report.notices:
        yield "notice", notice
    yield "wall time", f"{report.wall_s:.1f} s"


class TaskBar(ShareBar):
    """A progress bar with the share of tasks whose first line was exact."""

    def __init__(self, total: int) -> None:
        super().__init__("exact", total, LOG_EVERY)

    def done(self, one: Done) -> None:
        """Count a task. Where it was asked with and without context, its last answer counts."""
        self.advance(good=one.outcomes[-1].exact)
