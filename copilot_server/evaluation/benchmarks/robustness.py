"""The same problems with their prompts put otherwise, as they are met in editors, and what that costs.

Each variant means the same: the canonical solution, put likewise, passes. The kinds of change are in the
manner of ReCode (Wang et al. 2022, arXiv 2212.10264), and so is the worst case.
"""

from __future__ import annotations

import ast
import inspect
import io
import re
import tokenize
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from copilot_server.evaluation.benchmarks import bounds
from copilot_server.evaluation.benchmarks.places import span
from copilot_server.evaluation.benchmarks.variants import Cells, as_variant, by_temperature, difference
from copilot_server.evaluation.passk import bootstrap_interval
from copilot_server.evaluation.problems import Problem
from copilot_server.evaluation.results import Checked, Score
from copilot_server.evaluation.tasks import Task
from copilot_server.sandbox import Sandbox

PLAIN = "plain"
_UNIT = "    "
#: Letters of a word that is cut in two.
_SHORTEST_WORD = 3


def tasks(problems: Sequence[Problem]) -> list[Task]:
    """Every variant of each problem, where it has one: without a canonical solution no word can be begun."""
    made = []
    for name, change in VARIANTS.items():
        for problem in problems:
            task = change(problem)
            if task is not None:
                made.append(as_variant(task, name))
    return made


def scores(tasks: Sequence[Task], checked: Sequence[Checked], sandbox: Sandbox) -> list[Score]:
    """The drops, and beside them what the canonical solution passes as it is served.

    Inside a word a suggestion ends with its line, so what is lost there is mostly not the model's doing.
    """
    ceilings = bounds.bound("ceiling: canonical as served", tasks, bounds.canonical_as_served, sandbox)
    return drops(tasks, checked) + ceilings


def drops(tasks: Sequence[Task], checked: Sequence[Checked]) -> list[Score]:
    """The drop in pass@1 from the plain prompt to each variant, and pass@1 in the worst case."""
    found: list[Score | None] = []
    for _, cells in by_temperature(tasks, checked):
        if len(cells) > 1:
            found += [difference("drop from plain", cells, name, PLAIN) for name in cells if name != PLAIN]
            found.append(_worst_case(cells))
    return [score for score in found if score is not None]


def _worst_case(cells: Cells) -> Score:
    """pass@1 if of each problem the variant were asked on which the model does worst."""
    by_problem: dict[str, float] = {}
    for groups in cells.values():
        for name, group in groups.items():
            by_problem[name] = min(by_problem.get(name, 1.0), group.pass_at(1))
    values = list(by_problem.values())
    low, high = bootstrap_interval(values, [1.0] * len(values))
    temperature = next(iter(next(iter(cells.values())).values())).temperature
    mean = sum(values) / len(values)
    note = f"with one sample a task: the share of problems solved in all of {len(cells)} variants"
    return Score("worst-case pass@1", mean, low, high, len(values), "", temperature, note)


def _plain(problem: Problem) -> Task:
    return problem.task()


def _trailing_spaces(problem: Problem) -> Task:
    """The indentation of the body stands there already, as editors put it."""
    visible = problem.canonical_solution.lstrip("\n")
    indent = visible[: len(visible) - len(visible.lstrip(" \t"))] or _UNIT
    return replace(problem.task(), prefix=problem.prompt + indent, canonical=visible.removeprefix(indent))


def _crlf(problem: Problem) -> Task:
    canonical = problem.canonical_solution.replace("\n", "\r\n")
    return replace(problem.task(), prefix=problem.prompt.replace("\n", "\r\n"), canonical=canonical)


def _tabs(problem: Problem) -> Task:
    """Every line of the document is indented by tabs."""
    prefix, canonical = _indented_by_tabs(problem)
    return replace(problem.task(), prefix=prefix, canonical=canonical)


def _camel_case(problem: Problem) -> Task:
    """``has_close_elements`` is ``hasCloseElements`` wherever it stands; a name of one word stays."""
    first, *rest = filter(None, problem.entry_point.split("_"))
    if not rest:
        return problem.task()
    name = first[0].lower() + first[1:] + "".join(word[0].upper() + word[1:] for word in rest)

    def renamed(text: str) -> str:
        return re.sub(rf"\b{re.escape(problem.entry_point)}\b", name, text)

    return replace(
        problem.task(),
        prefix=renamed(problem.prompt),
        canonical=renamed(problem.canonical_solution),
        entry_point=name,
        test=renamed(problem.test),
        setup=renamed(problem.prompt),
    )


def _docstring_as_comments(problem: Problem) -> Task:
    found = _docstring(problem)
    if found is None:
        return problem.task()
    indent = " " * (found.start - problem.prompt.rfind("\n", 0, found.start) - 1)
    comments = f"\n{indent}".join(f"# {line}".rstrip() for line in found.text.splitlines())
    prefix = problem.prompt[: found.start] + comments + problem.prompt[found.end :]
    return replace(problem.task(), prefix=prefix)


def _docstring_missing(problem: Problem) -> Task:
    found = _docstring(problem)
    if found is None:
        return problem.task()
    before, after = problem.prompt[: found.start].rstrip(" \t"), problem.prompt[found.end :]
    return replace(problem.task(), prefix=before + after.lstrip(" \t").removeprefix("\n"))


def _mid_word(problem: Problem) -> Task | None:
    """The canonical solution is begun, up to the middle of its first word of three letters or more.

    Comments and strings are passed over; of an odd number of letters the smaller half stands there.
    """
    begun = next(_words(problem), None)
    if begun is None:
        return None
    cut = begun.start + len(begun.text) // 2
    whole = problem.prompt + problem.canonical_solution
    return replace(problem.task(), prefix=whole[:cut], canonical=whole[cut:])


#: Each makes a problem's task anew; None where that cannot be.
VARIANTS: dict[str, Callable[[Problem], Task | None]] = {
    PLAIN: _plain,
    "trailing-spaces": _trailing_spaces,
    "CRLF": _crlf,
    "tabs": _tabs,
    "camel-case": _camel_case,
    "docstring-as-comments": _docstring_as_comments,
    "docstring-missing": _docstring_missing,
    "mid-word": _mid_word,
}


@dataclass(frozen=True, slots=True)
class _Found:
    """A piece of a problem's text: where it is, in code points, and what it says."""

    start: int
    end: int
    text: str


def _whole(problem: Problem) -> str:
    """The prompt with a body, so that it parses."""
    return problem.prompt + (problem.canonical_solution or f"{_UNIT}pass\n")


def _docstring(problem: Problem) -> _Found | None:
    """The string that says what the entry point does, in the prompt; indentation taken off its text.

    Not always a docstring: of HumanEval/115 an import comes before it.
    """
    try:
        tree = ast.parse(_whole(problem))
    except SyntaxError:
        return None
    functions = (node for node in tree.body if isinstance(node, ast.FunctionDef))
    entry = next((node for node in functions if node.name == problem.entry_point), None)
    for node in entry.body if entry else ():
        match node:
            case ast.Expr(ast.Constant(str(text))):
                return _Found(*span(_whole(problem), node), inspect.cleandoc(text))
    return None


def _words(problem: Problem) -> Iterator[_Found]:
    """The names and keywords of the canonical solution that are long enough to be cut."""
    text = problem.prompt + problem.canonical_solution
    starts = [0, *(found.end() for found in re.finditer("\n", text))]
    for token in _tokens(text):
        start = starts[token.start[0] - 1] + token.start[1]
        if (
            token.type == tokenize.NAME
            and len(token.string) >= _SHORTEST_WORD
            and start >= len(problem.prompt)
        ):
            yield _Found(start, start + len(token.string), token.string)


def _tokens(text: str) -> Iterator[tokenize.TokenInfo]:
    """The tokens of ``text``, up to where it is no Python any more."""
    try:
        yield from tokenize.generate_tokens(io.StringIO(text).readline)
    except (SyntaxError, tokenize.TokenError):
        return


def _indented_by_tabs(problem: Problem) -> tuple[str, str]:
    """Prompt and canonical solution: a tab for each level where a statement begins, else for four spaces."""
    lines = _whole(problem).split("\n")
    levels = _levels("\n".join(lines))
    tabbed = []
    for number, line in enumerate(lines, start=1):
        text = line.lstrip(" ")
        spaces = len(line) - len(text)
        indent = "\t" * levels[number] if number in levels else "\t" * (spaces // 4) + " " * (spaces % 4)
        tabbed.append(indent + text)
    # What stands after the cursor on its line is the same as before, but for indentation.
    cursor_line = problem.prompt.count("\n")
    rest = len(lines[cursor_line]) - len(problem.prompt.rpartition("\n")[2])
    cut = sum(len(one) + 1 for one in tabbed[:cursor_line]) + max(0, len(tabbed[cursor_line]) - rest)
    whole = "\n".join(tabbed)
    return whole[:cut], whole[cut:] if problem.canonical_solution else ""


def _levels(text: str) -> dict[int, int]:
    """How deep the statement is indented that begins on a line."""
    levels: dict[int, int] = {}
    level, begins = 0, True
    for token in _tokens(text):
        level += (token.type == tokenize.INDENT) - (token.type == tokenize.DEDENT)
        if token.type == tokenize.NEWLINE:
            begins = True
        elif begins and token.type not in _INVISIBLE:
            levels[token.start[0]], begins = level, False
    return levels


_INVISIBLE = {tokenize.INDENT, tokenize.DEDENT, tokenize.NL, tokenize.COMMENT, tokenize.ENDMARKER}
