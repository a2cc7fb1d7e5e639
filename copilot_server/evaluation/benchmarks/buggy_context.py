"""Functions of other problems above the prompt, either correct or with subtle bugs.

A model that sees code with subtle bugs writes worse code (Chen et al. 2021, arXiv 2107.03374, section 7.2).
The difference between the two contexts measures how much worse.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from copilot_server.errors import DataError
from copilot_server.evaluation.benchmarks.seeding import seeded
from copilot_server.evaluation.benchmarks.spans import span
from copilot_server.evaluation.benchmarks.variants import as_variant, by_temperature, difference
from copilot_server.evaluation.problems import Problem
from copilot_server.evaluation.types import Checked, Score, Task
from copilot_server.sandbox import Sandbox

NONE, CORRECT, BUGGY = "no context", "correct context", "buggy context"

#: The number of functions above a prompt, and the maximum length of the whole. The pipeline shows the model
#: 1024 tokens of a document, each of about three characters.
EXAMPLES = 2
MAX_CHARACTERS = 2_600
#: The maximum length of a function, which leaves room for a second one.
_MAX_EXAMPLE = 900
#: The number of wrong versions of a function that are tried.
_MUTATIONS = 6

_COMPARISONS = {"<": "<=", "<=": "<", ">": ">=", ">=": ">", "==": "!=", "!=": "=="}
_ARITHMETIC = {"+": "-", "-": "+", "*": "+", "//": "%", "%": "//", "/": "//"}
_BOOLEANS = {"and": "or", "or": "and"}
_NAMES = {"min": "max", "max": "min", "any": "all", "all": "any"}


@dataclass(frozen=True, slots=True)
class Example:
    """A function to put above a prompt, correct and with a bug that its test finds."""

    problem_id: str
    correct: str
    buggy: str
    names: frozenset[str]


def tasks(problems: Sequence[Problem], sandbox: Sandbox, *, seed: int = 0) -> list[Task]:
    """Return each problem without context, below correct functions, and below the same functions with bugs.

    Raises:
        DataError: there are too few problems with short canonical solutions to take functions from.
    """
    pool = examples(problems, sandbox, seed=seed)
    contexts = {problem.task_id: _choose(problem, pool, seed) for problem in problems}
    return [
        _below(problem, variant, contexts[problem.task_id])
        for variant in (NONE, CORRECT, BUGGY)
        for problem in problems
    ]


def scores(tasks: Sequence[Task], checked: Sequence[Checked]) -> list[Score]:
    """Return how much lower pass@1 is below functions with bugs than below correct ones."""
    cells_of_each = [cells for _, cells in by_temperature(tasks, checked)]
    found = [difference("gap to correct context", cells, BUGGY, CORRECT) for cells in cells_of_each]
    return [score for score in found if score is not None]


def examples(problems: Sequence[Problem], sandbox: Sandbox, *, seed: int = 0) -> list[Example]:
    """Return the functions of short problems, each with the first bug that makes an assertion fail.

    Bugs that raise another error or never end are not subtle, so they do not count.
    """
    short = [one for one in problems if len(_solved(one)) <= _MAX_EXAMPLE and one.canonical_solution.strip()]
    tried = {problem.task_id: (problem, _sampled_mutations(problem, seed)) for problem in short}
    buggy: dict[str, str] = {}
    for turn in range(_MUTATIONS):
        running = {
            name: sandbox.submit(problem.task().program(mutants[turn].removeprefix(problem.prompt)))
            for name, (problem, mutants) in tried.items()
            if name not in buggy and turn < len(mutants)
        }
        for name, verdict in running.items():
            if verdict.result().error.startswith("AssertionError"):
                buggy[name] = tried[name][1][turn]
    return [
        Example(one.task_id, _solved(one), buggy[one.task_id], _top_names(_solved(one)))
        for one in short
        if one.task_id in buggy
    ]


def mutations(problem: Problem) -> list[str]:
    """Return every version of the prompt with its solution that differs by one small change to the body."""
    text = _solved(problem)
    edits = sorted({edit for node in ast.walk(_body(problem)) for edit in _edits(text, node)})
    return [text[:start] + new + text[end:] for start, end, new in edits]


def _sampled_mutations(problem: Problem, seed: int) -> list[str]:
    found = mutations(problem)
    return seeded(seed, "mutants", problem.task_id).sample(found, min(_MUTATIONS, len(found)))


def _choose(problem: Problem, pool: Sequence[Example], seed: int) -> list[Example]:
    """Choose different functions that fit, and whose names the problem does not use."""
    rng = seeded(seed, "buggy-context", problem.task_id)
    used = set(re.findall(r"\w+", problem.prompt + problem.canonical_solution))
    room = MAX_CHARACTERS - len(problem.prompt)
    chosen: list[Example] = []
    for example in rng.sample(pool, len(pool)):
        length = max(len(example.correct), len(example.buggy)) + 3
        if len(chosen) < EXAMPLES and length <= room and not example.names & used:
            chosen.append(example)
            used |= example.names
            room -= length
    if not chosen:
        raise DataError(
            f"No function fits above {problem.task_id}.",
            remedy="Buggy context needs a problem set with several short canonical solutions.",
        )
    return chosen


def _below(problem: Problem, variant: str, context: Sequence[Example]) -> Task:
    above = {
        NONE: "",
        CORRECT: "".join(f"{example.correct.strip()}\n\n\n" for example in context),
        BUGGY: "".join(f"{example.buggy.strip()}\n\n\n" for example in context),
    }
    return replace(as_variant(problem.task(), variant), prefix=above[variant] + problem.prompt)


def _solved(problem: Problem) -> str:
    return f"{problem.prompt}{problem.canonical_solution}".rstrip() + "\n"


def _top_names(text: str) -> frozenset[str]:
    functions = (ast.FunctionDef, ast.ClassDef)
    return frozenset(node.name for node in ast.parse(text).body if isinstance(node, functions))


def _body(problem: Problem) -> ast.Module:
    """Parse the canonical solution; its statements have their positions in the whole text."""
    first_line = problem.prompt.count("\n") + 1
    try:
        tree = ast.parse(_solved(problem))
    except SyntaxError:
        return ast.Module([], [])
    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
    return ast.Module([one for node in functions for one in node.body if one.lineno >= first_line], [])


def _edits(text: str, node: ast.AST) -> Iterator[tuple[int, int, str]]:
    """Yield the small changes to one node, as a span and its replacement."""
    match node:
        case ast.Compare(left, _, comparators):
            operands = [left, *comparators]
            for a, b in pairwise(operands):
                yield from _operator(text, a, b, _COMPARISONS)
        case ast.BinOp(left, _, right):
            yield from _operator(text, left, right, _ARITHMETIC)
        case ast.BoolOp(_, values):
            for a, b in pairwise(values):
                yield from _operator(text, a, b, _BOOLEANS)
        case ast.Constant(int(value)) if not isinstance(value, bool):
            yield (*span(text, node), str(value + 1))
        case ast.Name(name, ast.Load()) if name in _NAMES:
            yield (*span(text, node), _NAMES[name])


def _operator(
    text: str, left: ast.expr, right: ast.expr, swaps: dict[str, str]
) -> Iterator[tuple[int, int, str]]:
    """Yield a change of the operator between two operands, which may have parentheses around them."""
    start, end = span(text, left)[1], span(text, right)[0]
    found = re.fullmatch(r"[\s)\\]*([^\s()\\]+)[\s(\\]*", text[start:end])
    if found and found[1] in swaps:
        yield start + found.start(1), start + found.end(1), swaps[found[1]]
