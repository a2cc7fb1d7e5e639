"""The benchmarks by name: what each asks, and what it says beyond pass@k."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from copilot_server.evaluation.benchmarks import buggy_context, chained, infilling, protocols, robustness
from copilot_server.evaluation.problems import Problem
from copilot_server.evaluation.results import Checked, Score
from copilot_server.evaluation.tasks import Task
from copilot_server.sandbox import Sandbox


@dataclass(frozen=True, slots=True)
class Making:
    """What tasks are made of. ``full``: all of them where a benchmark takes a seeded subset otherwise."""

    problems: Sequence[Problem]
    seed: int
    full: bool
    sandbox: Sandbox


Scores = Callable[[Sequence[Task], Sequence[Checked], Sandbox], list[Score]]
Notes = Callable[[Sequence[Task], Sequence[Checked]], list[str]]


@dataclass(frozen=True, slots=True)
class Benchmark:
    """A way to make tasks of problems, and what their checked samples say beyond pass@k of each variant.

    ``from_problems``: whether tasks are made of the problems at all.
    """

    tasks: Callable[[Making], list[Task]]
    scores: Scores = lambda _tasks, _checked, _sandbox: []
    notes: Notes = lambda _tasks, _checked: []
    from_problems: bool = True


def _humaneval(making: Making) -> list[Task]:
    return [problem.task() for problem in making.problems]


def _infilling(making: Making) -> list[Task]:
    subset = None if making.full else infilling.MULTI_LINE_SUBSET
    return infilling.tasks(making.problems, multi_line_subset=subset, seed=making.seed)


def _robustness(making: Making) -> list[Task]:
    return robustness.tasks(making.problems)


def _chained(making: Making) -> list[Task]:
    return chained.tasks(seed=making.seed)


def _buggy_context(making: Making) -> list[Task]:
    return buggy_context.tasks(making.problems, making.sandbox, seed=making.seed)


def _protocols(making: Making) -> list[Task]:
    return protocols.tasks(making.problems)


def _alone(scores: Callable[[Sequence[Task], Sequence[Checked]], list[Score]]) -> Scores:
    """Scores for which nothing more need be run."""
    return lambda tasks, checked, _sandbox: scores(tasks, checked)


BENCHMARKS: dict[str, Benchmark] = {
    "humaneval": Benchmark(_humaneval),
    "infilling": Benchmark(_infilling, infilling.scores),
    "robustness": Benchmark(_robustness, robustness.scores),
    "chained": Benchmark(_chained, _alone(chained.scores), from_problems=False),
    "buggy-context": Benchmark(_buggy_context, _alone(buggy_context.scores)),
    "protocols": Benchmark(_protocols, _alone(protocols.scores), protocols.notes),
}
