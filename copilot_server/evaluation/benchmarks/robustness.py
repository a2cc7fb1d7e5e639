"""The same problems with changed prompts, as they occur in editors, and how much each change costs.

A change keeps the meaning: the canonical solution, changed in the same way, passes. The kinds of change and
the worst case follow ReCode (Wang et al. 2022, arXiv 2212.10264).
"""

from __future__ import annotations

import ast
import inspect
import io
import re
import tokenize
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from copilot_server.context.indentation import DEFAULT_INDENT, indent_of
from copilot_server.evaluation.benchmarks import bounds
from copilot_server.evaluation.benchmarks.spans import span
from copilot_server.evaluation.benchmarks.variants import Cells, as_variant, by_temperature, difference
from copilot_server.evaluation.passk import bootstrap_interval
from copilot_server.evaluation.problems import Problem
from copilot_server.evaluation.types import Checked, Score, Task
from copilot_server.sandbox import Sandbox

PLAIN = "plain"
#: The minimum number of letters in a word that is cut in two.
_SHORTEST_WORD = 3


def tasks(problems: Sequence[Problem]) -> list[Task]:
    """Return every variant of each problem. Without a canonical solution there is no ``mid-word``."""
    made = []
    for name, change in VARIANTS.items():
        for problem in problems:
            task = change(problem)
            if task is not None:
                made.append(as_variant(task, name))
    return made


def scores(tasks: Sequence[Task], checked: Sequence[Checked], sandbox: Sandbox) -> list[Score]:
    """Return the drops, and the upper bound that the canonical solution reaches as it is served.

    Inside a word a suggestion ends with its line, so most of the drop there is not due to the model.
    """
    ceilings = bounds.bound("ceiling: canonical as served", tasks, bounds.canonical_as_served, sandbox)
    return drops(tasks, checked) + ceilings


def drops(tasks: Sequence[Task], checked: Sequence[Checked]) -> list[Score]:
    """Return the drop in pass@1 from the plain prompt to each variant, and pass@1 in the worst case."""
    found: list[Score | None] = []
    for _, cells in by_temperature(tasks, checked):
        if len(cells) > 1:
            found += [difference("drop from plain", cells, name, PLAIN) for name in cells if name != PLAIN]
            found.append(_worst_case(cells))
    return [score for score in found if score is not None]


def _worst_case(cells: Cells) -> Score:
    """Return pass@1 over the worst variant of each problem."""
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
    """Put the indentation of the body before the cursor, as editors do."""
    visible = problem.canonical_solution.lstrip("\n")
    indent = indent_of(visible) or DEFAULT_INDENT
    return replace(problem.task(), prefix=problem.prompt + indent, canonical=visible.removeprefix(indent))


def _crlf(problem: Problem) -> Task:
    canonical = problem.canonical_solution.replace("\n", "\r\n")
    return replace(problem.task(), prefix=problem.prompt.replace("\n", "\r\n"), canonical=canonical)


def _tabs(problem: Problem) -> Task:
    """Indent every line of the document with tabs."""
    prefix, canonical = _indented_by_tabs(problem)
    return replace(problem.task(), prefix=prefix, canonical=canonical)


def _camel_case(problem: Problem) -> Task:
    """Rename ``has_close_elements`` to ``hasCloseElements`` everywhere. A name of one word stays the same."""
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
    """Put the cursor in the middle of the canonical solution's first word of three letters or more.

    Words in comments and strings do not count. Of an odd number of letters the smaller half is given.
    """
    word = next(_words(problem), None)
    if word is None:
        return None
    cut = word.start + len(word.text) // 2
    whole = problem.prompt + problem.canonical_solution
    return replace(problem.task(), prefix=whole[:cut], canonical=whole[cut:])


#: Each returns the changed task of a problem, or None where that is impossible.
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
    """A part of a problem's text: its span in code points, and its value."""

    start: int
    end: int
    text: str


def _whole(problem: Problem) -> str:
    """Return the prompt with a body, so that it parses."""
    return problem.prompt + (problem.canonical_solution or f"{DEFAULT_INDENT}pass\n")


def _docstring(problem: Problem) -> _Found | None:
    """Return the string in the prompt that describes the entry point, without its indentation.

    It is not always a docstring: in HumanEval/115 an import precedes it.
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
    """Yield the names and keywords of the canonical solution that are long enough to be cut."""
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
    """Yield the tokens of ``text`` up to the first error."""
    try:
        yield from tokenize.generate_tokens(io.StringIO(text).readline)
    except (SyntaxError, tokenize.TokenError):
        return


def _indented_by_tabs(problem: Problem) -> tuple[str, str]:
    """Return the prompt and the canonical solution with tabs.

    A line that begins a statement has a tab for each level, any other a tab for every four spaces.
    """
    lines = _whole(problem).split("\n")
    levels = _levels("\n".join(lines))
    tabbed = []
    for number, line in enumerate(lines, start=1):
        text = line.lstrip(" ")
        spaces = len(line) - len(text)
        indent = "\t" * levels[number] if number in levels else "\t" * (spaces // 4) + " " * (spaces % 4)
        tabbed.append(indent + text)
    # The text after the cursor on its line stays the same, apart from indentation.
    cursor_line = problem.prompt.count("\n")
    rest = len(lines[cursor_line]) - len(problem.prompt.rpartition("\n")[2])
    cut = sum(len(one) + 1 for one in tabbed[:cursor_line]) + max(0, len(tabbed[cursor_line]) - rest)
    whole = "\n".join(tabbed)
    return whole[:cut], whole[cut:] if problem.canonical_solution else ""


def _levels(text: str) -> dict[int, int]:
    """Return the indentation level of the statement that begins on each line."""
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
