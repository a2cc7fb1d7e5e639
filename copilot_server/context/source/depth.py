"""The indentation depth at a cursor: the column that code there has, or should have."""

from __future__ import annotations

import re

from copilot_server.context.indentation import column
from copilot_server.context.source.code import Code
from copilot_server.context.source.lexer import lex

NEXT_CODE = re.compile(r"^(?P<indent>[ \t\f]*)(?=[^\s#])", re.MULTILINE)
_DEFINITION = re.compile(r"[ \t\f]*(?:(?:async[ \t]+)?def|class)\b")
# What may precede a body that is not written yet: a bare string (the docstring) and imports.
_PRELUDE = re.compile(r"[ \t\f]*(?:[rRuUbBfF]{0,2}[\"']|(?:import|from)\b)")


def column_at_cursor(code: Code, line: int, unit: str) -> int:
    """Return the column of code at the cursor, on the logical line that starts at ``line``."""
    if code.text[line : code.end].strip() or code.rest_of_line.strip():
        return code.column(line)
    above = code.line_before(line)
    return column(code.text[line : code.end]) if above is None else _column_below(code, above, line, unit)


def opens_block(code: Code, start: int, end: int) -> bool:
    """Whether the logical line from ``start`` to ``end`` ends in a colon, comments aside."""
    colons = lex(code.text, start, end).colons
    return bool(colons) and code.is_blank(colons[-1], end)


def _column_below(code: Code, above: int, line: int, unit: str) -> int:
    """Return the column of code on a blank line below the statement that starts at ``above``.

    After a colon a body must follow. After a docstring a body may follow if the cursor is at the left margin,
    where a prompt or an editor without automatic indentation leaves it; but not below two blank lines, which
    show that something new begins (PEP 8). Elsewhere the typed blanks count; if there are none, the shallower
    neighbour does, since editors strip the blanks of empty lines inside a body.
    """
    typed, below = column(code.text[line : code.end]), _next_column(code)
    owner = _block_owner(code, above, line)
    if owner is None:
        return typed or min(code.column(above), below)
    base = code.column(owner)
    if typed > base or below > base:
        return typed if typed > base else below
    body_must_come = owner == above
    body_may_come = typed == 0 and _blank_lines_before(code, line) < 2
    return base + column(unit) if body_must_come or body_may_come else typed


def _block_owner(code: Code, above: int, line: int) -> int | None:
    """Return the line that opens the block to be written at ``line``.

    It is ``above``, or a definition's header below which only a docstring and imports have been written.
    """
    start, end = above, line
    while _PRELUDE.match(code.text, start, end):
        higher = code.line_before(start)
        if higher is None:
            return None
        start, end = higher, start
    is_owner = start == above or (
        _DEFINITION.match(code.text, start) and code.column(start) < code.column(end)
    )
    return start if is_owner and opens_block(code, start, end) else None


def _blank_lines_before(code: Code, line: int) -> int:
    """Count the lines without code between ``line`` and the code above it."""
    written = code.text[:line].rstrip()
    return code.text.count("\n", len(written), line) - 1


def _next_column(code: Code) -> int:
    """Return the column of the first line of code after the cursor's line; 0 at the end of the file."""
    line_end = code.text.find("\n", code.end)
    found = NEXT_CODE.search(code.text, line_end + 1) if line_end >= 0 else None
    return column(found["indent"]) if found else 0
