"""Reads the examples of the function at a cursor from the text of its document, and from nothing else."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress

from copilot_server.completion.examples.asserted import read_module
from copilot_server.completion.examples.docstrings import Docstring, docstring_of
from copilot_server.completion.examples.doctests import read_doctests
from copilot_server.completion.examples.labelled import read_labelled
from copilot_server.completion.examples.sentences import read_sentences
from copilot_server.completion.examples.statements import statements_of
from copilot_server.completion.examples.target import Target
from copilot_server.completion.examples.types import Example, Examples, Session
from copilot_server.context.document import Cursor, Document
from copilot_server.context.source.code import plain_line_ends
from copilot_server.context.source.syntax import FunctionContext, python_context

#: The most that is read of a function and of a document, and the most examples.
MAX_DOCSTRING, MAX_DOCUMENT, MAX_EXAMPLES = 20_000, 1_000_000, 32


def read_examples(document_text: str, offset: int) -> Examples:
    """Return every example that is certain of the function around ``offset`` (in code points).

    Its body may be missing or unfinished. Never raises, whatever the text.
    """
    if len(document_text) > MAX_DOCUMENT:
        return Examples()
    text = plain_line_ends(document_text)
    function = python_context(Cursor(Document("", "python", text), offset)).function
    if function is None or not function.is_headed or _is_nested(function):
        return Examples()
    known = frozenset().union(*(one.names for one in statements_of(text)))
    target = Target.of(function, known)
    if target.definition is None:
        return Examples()
    sessions = [*_own(text, function, target), *read_module(text, function.start, target)]
    return _examples(_unique(sessions), target, function.start)


def _is_nested(function: FunctionContext) -> bool:
    return any(header.kind == "function" for header in function.enclosing)


def _own(text: str, function: FunctionContext, target: Target) -> Iterator[Session]:
    """Yield what the function's own docstring says."""
    if function.docstring is None or function.docstring_span is None:
        return
    start, end = function.docstring_span
    if end - start > MAX_DOCSTRING:
        return
    docstring = docstring_of(function.docstring, text.count("\n", 0, start))
    if docstring is not None:
        yield from read_docstring(docstring, target)


def read_docstring(docstring: Docstring, target: Target) -> Iterator[Session]:
    """Yield the sessions of a docstring, as Python has it or, where an escape has broken it, as written."""
    text, session = _doctests(docstring, target)
    if session:
        yield session
    yield from read_sentences(text, target, docstring.line)
    yield from read_labelled(text, target, docstring.line)


def _doctests(docstring: Docstring, target: Target) -> tuple[str, Session | None]:
    """Return the text in which no doctest is broken, if there is one, and its doctests."""
    for text in docstring.texts:
        with suppress(SyntaxError):
            return text, read_doctests(text, target, docstring.line)
    text = docstring.texts[0]
    return text, read_doctests(text, target, docstring.line, is_lenient=True)


def _unique(sessions: list[Session]) -> list[Session]:
    """Leave out single claims that an earlier session has."""
    seen: set[tuple[str, object]] = set()
    kept = []
    for session in sessions:
        keys = {(_normal(step.source), step.wanted) for step in session.steps if step.shown}
        if len(session.steps) > 1 or not keys <= seen:
            kept.append(session)
        seen |= keys
    return kept


def _normal(source: str) -> str:
    return re.sub(r"\s+", "", source)


def _examples(sessions: list[Session], target: Target, start: int) -> Examples:
    found = [
        Example(step.line, step.shown, session.kind, number, at)
        for number, session in enumerate(sessions)
        for at, step in enumerate(session.steps)
        if step.shown
    ][:MAX_EXAMPLES]
    kept = tuple(sessions[: found[-1].session + 1]) if found else ()
    return Examples(target.full_name, start, target.is_async, kept, tuple(found))
