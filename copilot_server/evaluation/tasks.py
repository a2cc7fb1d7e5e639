"""The first stage of a run: its tasks, which a benchmark makes from problems."""

from __future__ import annotations

from collections.abc import Sequence

from copilot_server.errors import ConfigError
from copilot_server.evaluation.benchmarks import BENCHMARKS, Ingredients
from copilot_server.evaluation.options import SelftestOptions
from copilot_server.evaluation.problems import ProblemSet, load_problem_file, load_problems
from copilot_server.evaluation.types import Task
from copilot_server.sandbox import Sandbox


def load_problem_set(options: SelftestOptions) -> ProblemSet:
    """Return the problems that ``--data`` names, or OpenAI's.

    Raises:
        DataError: they are missing or malformed.
    """
    return load_problems() if options.data is None else load_problem_file(options.data)


def make_tasks(options: SelftestOptions, problem_set: ProblemSet, sandbox: Sandbox) -> list[Task]:
    """Return the tasks of the benchmark, or of those variants of it that the options name.

    Raises:
        ConfigError: the benchmark has no such variant, or does not use problems that the options name.
        DataError: the problems lack something that the benchmark needs.
    """
    benchmark = BENCHMARKS[options.benchmark]
    if not benchmark.from_problems and (options.data or options.limit):
        message = f"{options.benchmark} makes tasks of its own."
        raise ConfigError(message, remedy="Leave out --data and --limit.")
    problems = problem_set.problems[: options.limit]
    tasks = benchmark.tasks(Ingredients(problems, options.seed, options.full, sandbox))
    _check_variants(options, tasks)
    return [task for task in tasks if not options.variants or task.variant in options.variants]


def _check_variants(options: SelftestOptions, tasks: Sequence[Task]) -> None:
    variants = dict.fromkeys(task.variant for task in tasks)
    for name in options.variants:
        if name not in variants:
            known = ", ".join(filter(None, variants)) or "none"
            message = f"{options.benchmark} has no variant {name!r}."
            raise ConfigError(message, remedy=f"Known: {known}.")
