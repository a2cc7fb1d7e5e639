"""Reads what the rest of a module says about a function: doctests of other docstrings, and assertions."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from copilot_server.completion.examples.docstrings import docstring_of
from copilot_server.completion.examples.doctests import claimed, has_prompt, one_line, read_doctests
from copilot_server.completion.examples.statements import (
    BUILTINS,
    Statement,
    global_names,
    statements_of,
)
from copilot_server.completion.examples.target import Target
from copilot_server.completion.examples.types import Session, Step


def read_module(text: str, start: int, target: Target) -> Iterator[Session]:
    """Yield the sessions outside the docstring of the function whose ``def`` is at ``start``."""
    own_line = text.count("\n", 0, start) + 1
    named = f"{target.classes[-1]}(" if target.name == "__init__" and target.classes else target.name
    for statement in statements_of(text):
        if named not in statement.text or (tree := statement.tree) is None:
            continue
        first_line = text.count("\n", 0, statement.start)
        for node in ast.walk(tree):
            if isinstance(node, ast.Assert):
                yield from _assertion(node, statement, first_line, target)
            elif (literal := _docstring(node, statement, own_line - first_line)) is not None:
                yield from _doctests(literal, first_line + literal.lineno - 1, statement, target)


def _assertion(node: ast.Assert, statement: Statement, first_line: int, target: Target) -> Iterator[Session]:
    """Yield an assertion, unless it stands in the function or names what only its surroundings have."""
    claim = claimed(node, target)
    if claim is None or target.name in statement.names:
        return
    if not all(name in target.known or name in BUILTINS for name in global_names(claim.source)):
        return
    shown = one_line(ast.get_source_segment(statement.text, node.test) or claim.source)
    step = Step(claim.source, first_line + node.lineno - 1, True, claim.wanted, True, shown)  # noqa: FBT003
    yield Session("assertion", (step,))


def _docstring(node: ast.AST, statement: Statement, own_line: int) -> ast.Constant | None:
    """Return the docstring of a definition other than the function, or the statement that is the module's."""
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and node is statement.tree:
        return node.value if isinstance(node.value.value, str) else None
    if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) or node.lineno == own_line:
        return None
    first = node.body[0]
    if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
        return first.value if isinstance(first.value.value, str) else None
    return None


def _doctests(literal: ast.Constant, line: int, statement: Statement, target: Target) -> Iterator[Session]:
    source = ast.get_source_segment(statement.text, literal) or ""
    if not has_prompt(source):
        return
    docstring = docstring_of(source, line)
    if docstring is None:
        return
    session = read_doctests(docstring.texts[0], target, line, is_lenient=True)
    if session is not None:
        yield session
