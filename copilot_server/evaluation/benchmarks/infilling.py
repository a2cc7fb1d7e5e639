"""Infilling: a part of a canonical solution is missing, and the code before and after it is given.

Single-line and multi-line tasks are those of the HumanEval infilling benchmarks (Bavarian et al. 2022,
"Efficient Training of Language Models to Fill in the Middle", arXiv 2207.14255, section 4.1), byte for byte
and with the same names. They are derived here from the canonical solutions. Random spans are chosen as in the
paper, by a seed of our own.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Literal, get_args

from copilot_server.errors import DataError
from copilot_server.evaluation.benchmarks import bounds
from copilot_server.evaluation.benchmarks.seeding import seeded
from copilot_server.evaluation.problems import Problem
from copilot_server.evaluation.scores import Group, grouped, mean_score
from copilot_server.evaluation.types import Checked, Score, Task
from copilot_server.sandbox import Sandbox

Kind = Literal["single-line", "multi-line", "random-span"]
KINDS: tuple[Kind, ...] = get_args(Kind)
_NAMES: dict[Kind, str] = {
    "single-line": "SingleLineInfilling",
    "multi-line": "MultiLineInfilling",
    "random-span": "RandomSpanInfilling",
}

#: The number of random spans of a problem.
SPANS = 10
#: The number of multi-line tasks by default; there are 5815.
MULTI_LINE_SUBSET = 1000

#: Answers that take the model's place, to show the bounds of a score.
BOUNDS: dict[str, bounds.Answer] = {
    "floor: empty middle": bounds.empty,
    "floor: canonical middle": bounds.canonical,
    "ceiling: canonical middle as served": bounds.canonical_as_served,
}


def tasks(
    problems: Sequence[Problem],
    *,
    kinds: Sequence[Kind] = KINDS,
    multi_line_subset: int | None = MULTI_LINE_SUBSET,
    seed: int = 0,
) -> list[Task]:
    """Return the tasks of each kind. ``multi_line_subset`` is the size of a seeded subset; None is all.

    Raises:
        DataError: a problem has no canonical solution.
    """
    for problem in problems:
        if not problem.canonical_solution.strip():
            raise DataError(
                f"{problem.task_id} has no canonical solution to take a part from.",
                remedy="Infilling needs a problem set with them.",
            )
    return [
        task for kind in KINDS if kind in kinds for task in _of_kind(kind, problems, multi_line_subset, seed)
    ]


def scores(tasks: Sequence[Task], checked: Sequence[Checked], sandbox: Sandbox) -> list[Score]:
    """Return the rate of exact matches, and the bounds of pass@1."""
    matches = [mean_score("exact match", groups, _matching) for groups in grouped(tasks, checked).values()]
    beside = [bounds.bound(name, tasks, answer, sandbox) for name, answer in BOUNDS.items()]
    return [*matches, *chain.from_iterable(beside)]


def is_exact_match(task: Task, completion: str, replaced: int = 0) -> bool:
    """Whether the completion equals the canonical middle, apart from white space around them.

    A completion that ends with a copy of the suffix's beginning replaces that part of the suffix, so the copy
    does not count. A completion that removes characters without restoring them is not a match.
    """
    overwritten = task.suffix[:replaced].rstrip()
    completion = completion.rstrip()
    if not completion.endswith(overwritten):
        return False
    return completion.removesuffix(overwritten).strip() == task.canonical.strip()


def _of_kind(kind: Kind, problems: Sequence[Problem], multi_line_subset: int | None, seed: int) -> list[Task]:
    if kind == "single-line":
        return [task for problem in problems for task in _single_line(problem)]
    if kind == "random-span":
        return [task for problem in problems for task in _random_spans(problem, seed)]
    families = [list(_multi_line(problem)) for problem in problems]
    if multi_line_subset is not None:
        families = _subset(families, multi_line_subset, seed)
    return [task for family in families for task in family]


def _single_line(problem: Problem) -> Iterator[Task]:
    for i in _visible_lines(problem):
        yield _without_lines(problem, "single-line", i, i)


def _multi_line(problem: Problem) -> Iterator[Task]:
    visible = _visible_lines(problem)
    for i in visible:
        for j in visible:
            if i <= j:
                yield _without_lines(problem, "multi-line", i, j)


def _visible_lines(problem: Problem) -> list[int]:
    return [number for number, line in enumerate(problem.canonical_solution.split("\n")) if line.strip()]


def _without_lines(problem: Problem, kind: Kind, first: int, last: int) -> Task:
    """Remove the lines from ``first`` to ``last``. Before line 0 the benchmark has one more line feed."""
    lines = problem.canonical_solution.split("\n")
    before = problem.prompt + "\n".join(lines[:first]) + "\n"
    middle = "\n".join(lines[first : last + 1]) + ("\n" if last + 1 < len(lines) else "")
    name = f"L{first}" if kind == "single-line" else f"L{first}_L{last}"
    return _task(problem, kind, name, (before, middle, "\n".join(lines[last + 1 :])))


def _random_spans(problem: Problem, seed: int) -> Iterator[Task]:
    """Remove different spans that are not empty, chosen uniformly."""
    solution = problem.canonical_solution
    rng = seeded(seed, "random-span", problem.task_id)
    spans: dict[tuple[int, int], None] = {}
    while len(spans) < min(SPANS, len(solution) * (len(solution) + 1) // 2):
        start, end = sorted(rng.sample(range(len(solution) + 1), 2))
        spans[start, end] = None
    for number, (start, end) in enumerate(spans, start=1):
        parts = problem.prompt + solution[:start], solution[start:end], solution[end:]
        yield _task(problem, "random-span", str(number), parts)


def _task(problem: Problem, kind: Kind, name: str, parts: tuple[str, str, str]) -> Task:
    prefix, middle, suffix = parts
    return Task(
        task_id=f"{_NAMES[kind]}/{problem.task_id}/{name}",
        problem_id=problem.task_id,
        prefix=prefix,
        suffix=suffix,
        canonical=middle,
        entry_point=problem.entry_point,
        test=problem.test,
        setup=problem.prompt,
        variant=kind,
    )


def _subset(families: list[list[Task]], size: int, seed: int) -> list[list[Task]]:
    """Choose ``size`` tasks: of each problem in proportion to how many it has, and at least one."""
    total = sum(map(len, families))
    if size >= total:
        return families
    shares = [len(family) * size / total for family in families]
    taken = [max(1, int(share)) for share in shares]
    largest_remainders = sorted(range(len(families)), key=lambda index: taken[index] - shares[index])
    for index in largest_remainders[: max(0, size - sum(taken))]:
        taken[index] += 1
    return [_choose(family, count, seed) for family, count in zip(families, taken, strict=True)]


def _choose(family: list[Task], count: int, seed: int) -> list[Task]:
    rng = seeded(seed, "multi-line", family[0].problem_id)
    return [family[index] for index in sorted(rng.sample(range(len(family)), count))]


def _matching(group: Group) -> float:
    samples = [one.sample for one in group.samples]
    matches = [is_exact_match(group.task, one.completion, one.replaced) for one in samples]
    return sum(matches) / len(matches)
