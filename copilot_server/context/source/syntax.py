"""The Python code around a cursor: the function it is in, the imports, and the cursor's syntactic position.

Code at a cursor is incomplete. What is around it is therefore found by indentation, line starts and open
brackets (``lexer``, ``code``), which work for any text; tree-sitter then reads the pieces (``definitions``).
No piece reaches into a line that is half typed, and a long file costs little more than a short one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from copilot_server.context.document import Cursor
from copilot_server.context.indentation import column, indent_unit
from copilot_server.context.source.code import Code
from copilot_server.context.source.definitions import (
    FunctionContext,
    Header,
    definitions_around,
    innermost_function,
    is_function,
)
from copilot_server.context.source.depth import column_at_cursor
from copilot_server.context.source.lexer import LexState, lex_line

__all__ = ["FunctionContext", "Header", "Import", "PythonContext", "SyntacticPosition", "python_context"]

SyntacticPosition = Literal["module", "class", "signature", "docstring", "after_docstring", "body"]

_FIRST_DEFINITION = re.compile(r"^(?:(?:async[ \t]+)?def\b|class\b|@\w)", re.MULTILINE)
_IMPORT = re.compile(r"^(?:import|from)[ \t]", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Import:
    """An import statement and the offset at which its line starts."""

    start: int
    text: str


@dataclass(frozen=True, slots=True)
class PythonContext:
    """Where a cursor stands in a Python document.

    ``position`` is the part of the code that the cursor is in. ``column`` is the column that code at the
    cursor has, or should have (tabs advance to multiples of 8); ``line_start`` is the offset of the cursor's
    logical line. ``enclosing`` is every definition around the cursor, outermost first; ``function`` is the
    innermost one, if that is a function. ``imports`` are those above the module's first definition.
    """

    position: SyntacticPosition
    state: LexState
    column: int
    line_start: int
    function: FunctionContext | None
    enclosing: tuple[Header, ...]
    imports: tuple[Import, ...]
    indent_unit: str

    @property
    def in_string(self) -> bool:
        """Whether the cursor is in a string that is open before it."""
        return bool(self.state.quote)

    @property
    def in_comment(self) -> bool:
        """Whether the cursor is in a comment."""
        return self.state.in_comment

    @property
    def open_brackets(self) -> str:
        """The brackets open at the cursor, outermost first."""
        return self.state.brackets


def python_context(cursor: Cursor) -> PythonContext:
    """Read the code around ``cursor``. Never raises, whatever the text."""
    code = Code.at(cursor)
    unit = indent_unit(code.text)
    line, state = code.logical_line(code.end)
    depth = code.column(line) if is_function(code, line) else column_at_cursor(code, line, unit)
    enclosing = definitions_around(code, line, depth)
    function = innermost_function(code, enclosing, unit)
    if function and function.is_headed and line < function.body_start <= code.end:
        depth = column(function.body_indent)
    return PythonContext(
        _position(code, line, state, enclosing, function),
        state,
        depth,
        line,
        function,
        enclosing,
        _imports(code),
        unit,
    )


def _position(
    code: Code, line: int, state: LexState, enclosing: tuple[Header, ...], function: FunctionContext | None
) -> SyntacticPosition:
    if function is None:
        return "class" if enclosing else "module"
    if code.end < function.body_start or (line <= function.start and not function.is_headed):
        return "signature"
    docstring = function.docstring_span
    if docstring and docstring[0] < code.end <= docstring[1] and state.quote:
        return "docstring"
    return "after_docstring" if docstring and function.body_is_empty else "body"


def _imports(code: Code) -> tuple[Import, ...]:
    definitions = (found.start() for found in _FIRST_DEFINITION.finditer(code.text))
    end = next((start for start in definitions if code.string_around(start) is None), len(code.text))
    starts = (found.start() for found in _IMPORT.finditer(code.text, 0, end))
    outside_strings = (start for start in starts if code.string_around(start) is None)
    return tuple(
        Import(start, code.text[start : _logical_end(code, start)].rstrip()) for start in outside_strings
    )


def _logical_end(code: Code, start: int) -> int:
    lines = lex_line(code.text, start).lines
    return lines[0] if lines else len(code.text)
