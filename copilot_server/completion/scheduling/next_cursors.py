"""Where the cursor will be next: after the suggestion on show is accepted, or after it has rested."""

from __future__ import annotations

import re
from dataclasses import replace

from copilot_server.completion.gate import is_worthwhile
from copilot_server.completion.types import Candidate
from copilot_server.context.document import Cursor
from copilot_server.context.indentation import indent_of, indent_unit
from copilot_server.context.source.code import line_end, plain_line_ends

#: Editors indent more after a line that matches one of the first two, and less after one that leaves a block.
_OPENS = re.compile(r"[(\[{][ \t]*\Z")
_OPENS_PYTHON = re.compile(
    r"\s*(?:async|class|def|if|elif|else|for|while|try|except|finally|with|match|case)\b.*:[ \t]*(?:#.*)?\Z"
)
_LEAVES_PYTHON = re.compile(r"\s*(?:break|continue|pass|raise|return)\b")


def next_cursors(cursor: Cursor, candidate: Candidate) -> tuple[Cursor, ...]:
    """Return where the cursor is after accepting the candidate, and where it is after Enter from there.

    The second is left out in the middle of a line, where Enter is unlikely. Its indentation is the one that
    editors insert.
    """
    accepted = _insert(cursor, candidate.text, candidate.replaced)
    if accepted.line_suffix.strip():
        return (accepted,)
    text = accepted.document.text
    return accepted, _insert(accepted, line_end(text) + _next_indent(accepted))


def resting_cursors(cursor: Cursor) -> tuple[Cursor, ...]:
    """Return where the next suggestion is likely to be asked for while the cursor rests, the likelier first.

    A line that has been begun is gone on with, or Enter is pressed at its end; that comes first where the
    line opens a block. There are none in the middle of a line, where nothing is asked for while one types.
    """
    if not is_worthwhile(cursor):
        return ()
    if not cursor.line_prefix.strip() or cursor.line_suffix.strip():
        return (cursor,)
    indent = _next_indent(cursor)
    below = _insert(cursor, line_end(cursor.document.text) + indent)
    return (below, cursor) if len(indent) > len(indent_of(cursor.line_prefix)) else (cursor, below)


def _insert(cursor: Cursor, text: str, replaced: int = 0) -> Cursor:
    whole = cursor.prefix + text + cursor.suffix[replaced:]
    return Cursor(replace(cursor.document, text=whole), cursor.offset + len(text))


def _next_indent(cursor: Cursor) -> str:
    """Return the indentation that an editor gives the line after the cursor's."""
    line, unit = cursor.line_prefix, indent_unit(plain_line_ends(cursor.document.text))
    indent = indent_of(line)
    is_python = cursor.document.language_id == "python"
    if _OPENS.search(line) or (is_python and _OPENS_PYTHON.match(line)):
        return indent + unit
    if is_python and _LEAVES_PYTHON.match(line):
        return indent.removesuffix(unit)
    return indent
