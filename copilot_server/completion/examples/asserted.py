"""Reads what the rest of a module says about a function: doctests of other docstrings, and assertions."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from copilot_server.completion.examples.doctests import claimed, has_prompt, one_line, read_doctests
from copilot_server.completion.examples.statements import (
    BUILTINS,
    Statement,
    global_names,
    statements_of,
)
from copilot_server.completion.examples.target import Target
from copilot_server.completion.examples.types import Session, Step

_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_MAIN = "__name__ == '__main__'"


@dataclass(frozen=True, slots=True)
class _Said:
    """What a statement says about functions, with lines from 1.

    ``docstrings``: those with doctests, each with the line of its definition. ``assertions``: those that run
    whenever their function does, each with its text. ``bound``: the names with a meaning of their own in it.
    """

    docstrings: tuple[tuple[int, ast.Constant], ...] = ()
    assertions: tuple[tuple[ast.Assert, str], ...] = ()
    bound: frozenset[str] = frozenset()


def read_module(text: str, start: int, target: Target) -> Iterator[Session]:
    """Yield the sessions outside the docstring of the function whose ``def`` is at ``start``."""
    own_line = text.count("\n", 0, start)
    named = target.classes[-1] if target.name == "__init__" and target.classes else target.name
    for statement in statements_of(text):
        if named not in statement.text or not any(one in statement.text for one in (">>>", "assert")):
            continue
        first_line, said = text.count("\n", 0, statement.start), _said(statement)
        for line, literal in said.docstrings:
            if first_line + line - 1 != own_line and named in str(literal.value):
                yield from _doctests(literal, first_line, target)
        if target.name not in statement.names:
            for node, shown in said.assertions:
                yield from _assertion(node, shown, said.bound, first_line, target)


def _assertion(
    node: ast.Assert, shown: str, bound: frozenset[str], first_line: int, target: Target
) -> Iterator[Session]:
    """Yield an assertion, unless it names what only its surroundings have."""
    claim = claimed(node, target)
    if claim is None:
        return
    names = global_names(claim.source)
    if names & bound or not all(name in target.known or name in BUILTINS for name in names):
        return
    line = first_line + node.lineno - 1
    step = Step(claim.source, line, True, claim.wanted, True, shown)  # noqa: FBT003
    yield Session("assertion", (step,))


def _doctests(literal: ast.Constant, first_line: int, target: Target) -> Iterator[Session]:
    line = first_line + literal.lineno - 1
    session = read_doctests(str(literal.value), target, line, is_lenient=True)
    if session is not None:
        yield session


def _said(statement: Statement) -> _Said:
    return _Said() if statement.tree is None else _said_in(statement.text, statement.tree)


@lru_cache(maxsize=512)
def _said_in(text: str, tree: ast.stmt) -> _Said:
    nodes = list(ast.walk(tree))
    assertions = tuple(
        (node, one_line(ast.get_source_segment(text, node.test) or ast.unparse(node.test)))
        for node in _assertions([tree])
    )
    stored = {one.id for one in nodes if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Store)}
    bound = stored | {one.arg for one in nodes if isinstance(one, ast.arg)}
    is_definition = isinstance(tree, (*_FUNCTIONS, ast.ClassDef))
    return _Said(
        tuple(one for node in nodes for one in _docstring(node, tree)),
        assertions,
        frozenset(bound if is_definition else ()),
    )


def _docstring(node: ast.AST, tree: ast.stmt) -> Iterator[tuple[int, ast.Constant]]:
    """Yield the docstring of a definition with its line, or the statement that is the module's with 0."""
    if isinstance(node, (*_FUNCTIONS, ast.ClassDef)):
        first, line = node.body[0], node.lineno
    elif node is tree:
        first, line = tree, 0
    else:
        return
    if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
        literal = first.value
        if isinstance(literal.value, str) and has_prompt(literal.value):
            yield line, literal


def _assertions(body: list[ast.stmt]) -> Iterator[ast.Assert]:
    """Yield the assertions that depend on no condition, no fixture and no mark."""
    for node in body:
        if isinstance(node, ast.Assert):
            yield node
        elif isinstance(node, _FUNCTIONS):
            names = [one.arg for one in [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]]
            if not node.decorator_list and names in ([], ["self"]):
                yield from _assertions(node.body)
        elif isinstance(node, ast.ClassDef) or (isinstance(node, ast.If) and ast.unparse(node.test) == _MAIN):
            yield from _assertions(node.body)
