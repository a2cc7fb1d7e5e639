"""The benchmarks by name: what each asks, and what it says beyond pass@k."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from copilot_server.humaneval import infilling
from copilot_server.humaneval.problems import Problem
from copilot_server.humaneval.results import Checked, Score
from copilot_server.humaneval.tasks import Task
from copilot_server.sandbox import Sandbox


@dataclass(frozen=True, slots=True)
class Making:
    """What tasks are made of. ``full``: all of them where a benchmark takes a seeded subset otherwise."""

    problems: Sequence[Problem]
    seed: int
    full: bool
    sandbox: Sandbox


@dataclass(frozen=True, slots=True)
class Benchmark:
    """A way to make tasks of problems, and what their checked samples say beyond pass@k of each variant.

    ``several``: whether more than one sample a task makes sense.
    """

    tasks: Callable[[Making], list[Task]]
    scores: Callable[[Sequence[Task], Sequence[Checked], Sandbox], list[Score]] = lambda *_: []
    notes: Callable[[Sequence[Task], Sequence[Checked]], list[str]] = lambda *_: []


def _problems(making: Making) -> list[Task]:
    return [problem.task() for problem in making.problems]


def _infilling(making: Making) -> list[Task]:
    subset = None if making.full else infilling.MULTI_LINE_SUBSET
    return infilling.tasks(making.problems, multi_line_subset=subset, seed=making.seed)


BENCHMARKS: dict[str, Benchmark] = {
    "humaneval": Benchmark(_problems),
    "infilling": Benchmark(_infilling, infilling.scores),
}
