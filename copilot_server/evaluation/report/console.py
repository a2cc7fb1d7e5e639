"""A run on the terminal: a progress bar while it lasts, and tables at its end.

The model wrote the completions and caused the errors. They reach the terminal only through ``shown``.
"""

from __future__ import annotations

import sys
import threading
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Self, TextIO

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table

from copilot_server.evaluation.report.verdicts import SAID, agreement, drawn, with_examples
from copilot_server.evaluation.types import Checked, Report, Score, Verification
from copilot_server.shown import shown as in_one_line

_MAX_ERROR_KINDS = 5
_WIDTH_OF_A_PIPE = 120

#: Where a bar cannot be drawn, as in a CI log, a line is printed every so many samples.
LOG_EVERY = 16
#: The most lines that are printed, however many samples there are.
LOG_LINES = 40


def shown(text: str) -> str:
    """Return untrusted text that is safe for a terminal: control characters and markup are escaped."""
    return escape(in_one_line(text))


def console_on(stream: TextIO) -> Console:
    """Return a console that is as wide as the terminal, or has a fixed width for a file or a pipe."""
    return Console(file=stream, width=None if stream.isatty() else _WIDTH_OF_A_PIPE, highlight=False)


def notify(message: str) -> None:
    """Print one line on stderr."""
    Console(stderr=True, highlight=False, soft_wrap=True).print(shown(message))


def print_report(report: Report, *, to_stderr: bool = False) -> None:
    """Print the tables of a run on stdout, or on stderr where stdout belongs to the JSON."""
    console = console_on(sys.stderr if to_stderr else sys.stdout)
    console.print(_scores(report))
    console.print(facts_table(_fact_rows(report)))
    for note in report.notes:
        console.print(shown(note), soft_wrap=True)


def _scores(report: Report) -> Table:
    """Return the table of scores without the columns that would be empty."""
    table = Table(title=shown(f"{report.protocol.benchmark}, {_sampling(report)}"))
    columns = [
        ("variant", [score.variant for score in report.scores]),
        ("T", ["" if score.temperature is None else f"{score.temperature:g}" for score in report.scores]),
        ("score", [score.name for score in report.scores]),
        ("value", [percent(score) for score in report.scores]),
        ("95 % interval", [f"{score.low:.1%} to {score.high:.1%}" for score in report.scores]),
        ("tasks", [str(score.tasks) for score in report.scores]),
        ("note", [score.note for score in report.scores]),
    ]
    kept = [(name, cells) for name, cells in columns if any(cells)]
    for name, _ in kept:
        right = name in {"T", "value", "tasks"}
        table.add_column(name, justify="right" if right else "left", overflow="fold")
    for row in zip(*(cells for _, cells in kept), strict=True):
        table.add_row(*map(shown, row))
    return table


def percent(score: Score) -> str:
    """Return the value of a score in percent."""
    return f"{score.value:.1%}"


def _sampling(report: Report) -> str:
    asked = report.protocol
    if asked.temperatures == (0.0,):
        return "greedy"
    samples = "one sample" if asked.samples == 1 else f"{asked.samples} samples"
    if not asked.temperatures:
        return f"{samples} a task, from a file"
    return f"{samples} a task, top-p {asked.top_p:g}, seed {asked.seed}"


def facts_table(rows: Iterable[tuple[str, str]]) -> Table:
    """Return a table of names and untrusted values."""
    table = Table(show_header=False)
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    for name, value in rows:
        table.add_row(name, shown(value))
    return table


def _fact_rows(report: Report) -> Iterator[tuple[str, str]]:
    asked, samples = report.protocol, report.samples
    yield "passed", f"{sum(one.passed for one in samples)} of {len(samples)}"
    yield "errors", _error_kinds(samples)
    yield "protocol", asked.prompt
    yield "model", f"{asked.model} ({', '.join(report.device_details)})"
    yield "hardware", report.hardware
    yield "check", f"{asked.check} in {asked.sandbox}"
    for reason in report.sandboxes_passed_over:
        yield "better sandbox", reason
    for notice in report.notices:
        yield "notice", notice
    differing = [one for one in samples if one.upstream and one.upstream.passed != one.passed]
    if differing:
        names = dict.fromkeys(one.sample.task_id for one in differing)
        yield "upstream differs", f"on {len(differing)}: {', '.join(names)}"
    if report.verification is not None:
        yield from _verification_rows(report.verification)
    if report.timing.tokens:
        yield "generated", f"{report.timing.tokens} tokens in {report.timing.sampling_s:.1f} s"
    yield "wall time", f"{report.timing.wall_s:.1f} s"


def _verification_rows(verification: Verification) -> Iterator[tuple[str, str]]:
    samples = drawn(verification)
    counts = agreement(samples)
    tasks = len(verification.choices)
    yield "examples", f"checked in {with_examples(verification)} of {tasks} tasks"
    yield (
        "drawn",
        f"{len(samples)} samples, {len(samples) / max(1, tasks):.2f} a task, the others than the first in "
        f"{verification.drawing_s:.1f} s",
    )
    if added := sum(one.checked.sample.has_added_imports for one in samples):
        yield "imports", f"added to {added} of the samples, which fail an example without"
    for outcome, name in SAID.items():
        passed, failed = counts[outcome, True], counts[outcome, False]
        yield f"examples: {name}", f"{passed} pass the hidden test, {failed} fail it"


def _error_kinds(samples: Iterable[Checked]) -> str:
    kinds = Counter(one.result.error.partition(":")[0] for one in samples if not one.passed)
    most = ", ".join(f"{kind} {count}" for kind, count in kinds.most_common(_MAX_ERROR_KINDS))
    others = kinds.total() - sum(count for _, count in kinds.most_common(_MAX_ERROR_KINDS))
    return (most + (f", other {others}" if others else "")) or "none"


class ShareBar:
    """A progress bar on stderr with the share of what is done that went well, under a name.

    Where a bar cannot be drawn, a line is printed for every ``log_every``. Any thread may call ``advance``.
    """

    def __init__(self, name: str, total: int, log_every: int) -> None:
        self._lock = threading.Lock()
        self._name = name
        self._good = self._done = 0
        self._log_every = log_every
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=Console(stderr=True),
        )
        self._task = self._progress.add_task(f"{name}   ...", total=total)

    def advance(self, *, good: bool) -> None:
        """Count one more that is done."""
        with self._lock:
            self._done += 1
            self._good += good
            said = f"{self._name} {self._good / self._done:6.1%}"
            self._progress.update(self._task, completed=self._done, description=said)
            if not self._progress.console.is_terminal and self._done % self._log_every == 0:
                notify(f"{said} ({self._good} of {self._done})")

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()


class ScoreBar(ShareBar):
    """A progress bar with the number of samples checked and passed."""

    def __init__(self, total: int) -> None:
        super().__init__("pass@1", total, max(LOG_EVERY, total // LOG_LINES))

    def checked(self, one: Checked) -> None:
        """Count a verdict."""
        self.advance(good=one.passed)
