"""The benchmarks by name: their tasks, and their scores beyond pass@k."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from copilot_server.evaluation.benchmarks import buggy_context, chained, infilling, protocols, robustness
from copilot_server.evaluation.problems import Problem
from copilot_server.evaluation.types import Checked, Score, Task
from copilot_server.sandbox import Sandbox


@dataclass(frozen=True, slots=True)
class Ingredients:
    """What tasks are made from. With ``full`` a benchmark makes all of them, and not only a seeded subset."""

    problems: Sequence[Problem]
    seed: int
    full: bool
    sandbox: Sandbox


Scores = Callable[[Sequence[Task], Sequence[Checked], Sandbox], list[Score]]
Notes = Callable[[Sequence[Task], Sequence[Checked]], list[str]]


@dataclass(frozen=True, slots=True)
class Benchmark:
    """How a benchmark makes its tasks, and what it reports beyond pass@k of each variant.

    Attributes:
        tasks: makes the tasks.
        scores: computes scores from the checked samples; it may run more programs in the sandbox.
        notes: returns sentences to show beside the scores.
        from_problems: whether the tasks are made from the problems at all.
    """

    tasks: Callable[[Ingredients], list[Task]]
    scores: Scores = lambda _tasks, _checked, _sandbox: []
    notes: Notes = lambda _tasks, _checked: []
    from_problems: bool = True


def _humaneval(given: Ingredients) -> list[Task]:
    return [problem.task() for problem in given.problems]


def _infilling(given: Ingredients) -> list[Task]:
    subset = None if given.full else infilling.MULTI_LINE_SUBSET
    return infilling.tasks(given.problems, multi_line_subset=subset, seed=given.seed)


def _robustness(given: Ingredients) -> list[Task]:
    return robustness.tasks(given.problems)


def _chained(given: Ingredients) -> list[Task]:
    return chained.tasks(seed=given.seed)


def _buggy_context(given: Ingredients) -> list[Task]:
    return buggy_context.tasks(given.problems, given.sandbox, seed=given.seed)


def _protocols(given: Ingredients) -> list[Task]:
    return protocols.tasks(given.problems)


def _without_sandbox(scores: Callable[[Sequence[Task], Sequence[Checked]], list[Score]]) -> Scores:
    """Adapt a function that runs no programs."""
    return lambda tasks, checked, _sandbox: scores(tasks, checked)


BENCHMARKS: dict[str, Benchmark] = {
    "humaneval": Benchmark(_humaneval),
    "infilling": Benchmark(_infilling, infilling.scores),
    "robustness": Benchmark(_robustness, robustness.scores),
    "chained": Benchmark(_chained, _without_sandbox(chained.scores), from_problems=False),
    "buggy-context": Benchmark(_buggy_context, _without_sandbox(buggy_context.scores)),
    "protocols": Benchmark(_protocols, _without_sandbox(protocols.scores), protocols.notes),
}
