"""Other problems' functions above the prompt: right ones, or the same ones subtly wrong.

A model goes on as it is begun: shown code with subtle bugs, it writes worse code (Chen et al. 2021, arXiv
2107.03374, section 7.2). The gap between the two contexts says by how much.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from copilot_server.errors import DataError
from copilot_server.evaluation.benchmarks.chance import seeded
from copilot_server.evaluation.benchmarks.places import span
from copilot_server.evaluation.benchmarks.variants import as_variant, by_temperature, difference
from copilot_server.evaluation.problems import Problem
from copilot_server.evaluation.results import Checked, Score
from copilot_server.evaluation.tasks import Task
from copilot_server.sandbox import Sandbox

NONE, CORRECT, BUGGY = "no context", "correct context", "buggy context"

#: Functions above a prompt, and how long all together may be: what the pipeline shows a model of a document
#: is 1024 tokens, of about three characters.
EXAMPLES = 2
MAX_CHARACTERS = 2_600
#: Longer functions leave no room for a second one.
_MAX_EXAMPLE = 900
#: Wrong versions of a function that are tried before it is passed over.
_MUTANTS = 6

_COMPARISONS = {"<": "<=", "<=": "<", ">": ">=", ">=": ">", "==": "!=", "!=": "=="}
_ARITHMETIC = {"+": "-", "-": "+", "*": "+", "//": "%", "%": "//", "/": "//"}
_BOOLEANS = {"and": "or", "or": "and"}
_NAMES = {"min": "max", "max": "min", "any": "all", "all": "any"}


@dataclass(frozen=True, slots=True)
class Example:
    """A function to stand above a prompt: as it should be, and with a bug that its test finds."""

    problem_id: str
    correct: str
    buggy: str
    names: frozenset[str]


def tasks(problems: Sequence[Problem], sandbox: Sandbox, *, seed: int = 0) -> list[Task]:
    """Each problem without context, under correct functions and under the same ones with bugs.

    Raises:
        DataError: there are too few problems with short canonical solutions to take functions from.
    """
    pool = examples(problems, sandbox, seed=seed)
    contexts = {problem.task_id: _chosen(problem, pool, seed) for problem in problems}
    return [
        _under(problem, variant, contexts[problem.task_id])
        for variant in (NONE, CORRECT, BUGGY)
        for problem in problems
    ]


def scores(tasks: Sequence[Task], checked: Sequence[Checked]) -> list[Score]:
    """How much less is solved under functions with bugs than under correct ones."""
    cells_of_each = [cells for _, cells in by_temperature(tasks, checked)]
    found = [difference("gap to correct context", cells, BUGGY, CORRECT) for cells in cells_of_each]
    return [score for score in found if score is not None]


def examples(problems: Sequence[Problem], sandbox: Sandbox, *, seed: int = 0) -> list[Example]:
    """Short problems' functions, each with the first bug tried that makes an assertion of its test fail.

    A bug that raises another error, or never ends, is none that one could read past.
    """
    short = [one for one in problems if len(_solved(one)) <= _MAX_EXAMPLE and one.canonical_solution.strip()]
    tried = {problem.task_id: (problem, _mutants(problem, seed)) for problem in short}
    buggy: dict[str, str] = {}
    for turn in range(_MUTANTS):
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
    """The problem's solution, prompt included, with one small change: each there is to its body."""
    text = _solved(problem)
    edits = sorted({edit for node in ast.walk(_body(problem)) for edit in _edits(text, node)})
    return [text[:start] + new + text[end:] for start, end, new in edits]


def _mutants(problem: Problem, seed: int) -> list[str]:
    found = mutations(problem)
    return seeded(seed, "mutants", problem.task_id).sample(found, min(_MUTANTS, len(found)))


def _chosen(problem: Problem, pool: Sequence[Example], seed: int) -> list[Example]:
    """Different functions that fit and whose names the problem does not use."""
    chance = seeded(seed, "buggy-context", problem.task_id)
    used = set(re.findall(r"\w+", problem.prompt + problem.canonical_solution))
    room = MAX_CHARACTERS - len(problem.prompt)
    chosen: list[Example] = []
    for example in chance.sample(pool, len(pool)):
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


def _under(problem: Problem, variant: str, context: Sequence[Example]) -> Task:
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
    """The canonical solution's statements, at their places in the whole."""
    first_line = problem.prompt.count("\n") + 1
    try:
        tree = ast.parse(_solved(problem))
    except SyntaxError:
        return ast.Module([], [])
    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
    return ast.Module([one for node in functions for one in node.body if one.lineno >= first_line], [])


def _edits(text: str, node: ast.AST) -> Iterator[tuple[int, int, str]]:
    """The small changes to one node, as the span to replace and what by."""
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
    """The operator between two operands, parentheses and blanks around it passed over."""
    start, end = span(text, left)[1], span(text, right)[0]
    found = re.fullmatch(r"[\s)\\]*([^\s()\\]+)[\s(\\]*", text[start:end])
    if found and found[1] in swaps:
        yield start + found.start(1), start + found.end(1), swaps[found[1]]
