"""Where a suggestion goes, and how much to suggest there."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from copilot_server.context.brackets import OPENERS
from copilot_server.context.closers import closing_run, is_free
from copilot_server.context.document import Cursor
from copilot_server.context.indentation import column, indent_unit
from copilot_server.context.source.code import plain_line_ends
from copilot_server.context.source.lexer import LexState, lex, lex_line
from copilot_server.context.source.syntax import PythonContext, python_context

#: ``gap`` stands for whole lines before the cursor's line, which itself stays unchanged.
Scope = Literal["line", "block", "function", "gap"]

#: How many code points below the cursor's line are read for what closes its brackets.
_BELOW = 4_000

_COMPOUND = re.compile(
    r"\s*(?:async\s+)?(?:def|class|if|elif|else|for|while|try|except|finally|with|match|case)\b"
)
_NEXT_LINE = re.compile(r"^(?P<indent>[ \t\f]*)(?=\S)", re.MULTILINE)


@dataclass(frozen=True)
class Situation:
    """Where a suggestion goes and how far it may reach: all that the stop rule and the filters consider.

    ``context`` is None in languages other than Python.
    """

    cursor: Cursor
    context: PythonContext | None
    scope: Scope

    @cached_property
    def language(self) -> str:
        """The document's language id."""
        return self.cursor.document.language_id

    @cached_property
    def line_prefix(self) -> str:
        """The cursor's line before the cursor."""
        return self.cursor.line_prefix

    @cached_property
    def line_suffix(self) -> str:
        """The cursor's line after the cursor."""
        return self.cursor.line_suffix

    @cached_property
    def indent_unit(self) -> str:
        """The string by which the document indents a nested line."""
        return indent_unit(plain_line_ends(self.cursor.document.text))

    @cached_property
    def tab_width(self) -> int:
        """The width of a tab: 4 where tabs indent, for which models write 4 spaces; else Python's 8."""
        return 4 if self.indent_unit == "\t" else 8

    @cached_property
    def state(self) -> LexState:
        """What is open at the cursor; in other languages, as far as its line shows."""
        return self.context.state if self.context else lex(self.line_prefix, language=self.language).state

    @cached_property
    def closing_run(self) -> str:
        """The closers and the signs that end a statement with which the rest of the cursor's line begins."""
        return closing_run(self.line_prefix, self.line_suffix, self.language)

    @cached_property
    def brackets_closed_after(self) -> int:
        """How many of the brackets open at the cursor the rest of its line closes."""
        closers = lex(self.line_suffix, state=self.state, language=self.language).closers
        return sum(self.line_suffix[end - 1] in OPENERS for end in closers)

    @cached_property
    def column_below(self) -> int:
        """The column of the first line below the cursor's that is not blank; 0 if there is none."""
        indent = _first_indent(self.cursor.suffix[len(self.line_suffix) :][:_BELOW])
        return 0 if indent is None else column(indent, self.tab_width)

    @cached_property
    def brackets_closed_below(self) -> int:
        """How many of the brackets open at the cursor the lines below close; 0 where that is not certain.

        In languages other than Python only the brackets of the cursor's line are known, and what is below may
        close others.
        """
        state = lex(self.line_suffix, state=self.state, language=self.language).state
        if self.context is None or len(state.quote) > 1:
            return 0
        text, start = self.cursor.document.text, self.cursor.offset + len(self.line_suffix)
        # The innermost ones may have been opened just now, so that nothing closes them yet.
        outer = (state.brackets[:n] for n in range(len(state.brackets), 0, -1))
        states = (LexState(brackets=brackets) for brackets in outer)
        found = (len(lex_line(text, start, start + _BELOW, open_).closers) for open_ in states)
        return next(filter(None, found), 0)


def situation_at(cursor: Cursor) -> Situation:
    """Read the text around ``cursor`` and choose how much to suggest there."""
    context = python_context(cursor) if cursor.document.language_id == "python" else None
    return Situation(cursor, context, choose_scope(cursor, context))


def choose_scope(cursor: Cursor, context: PythonContext | None) -> Scope:
    """Choose how much to suggest at ``cursor``.

    In order, with the reason:

    1. Text other than closers follows on the line. If nothing precedes it: "gap", since it is a whole line,
       and what is missing goes before it. Else "line": more lines would separate that text from what it
       belongs to.
    2. In a string or a comment: "line". Prose has no indentation that could end a longer suggestion.
    3. The line ends where a function's empty body begins, and no body follows: "function". The signature and
       docstring say what the whole function does.
    4. The line opens some other block: "block", since a body must follow.
    5. The line has been begun: "line", which the user is writing.
    6. The line is blank: "block".
    """
    if not is_free(cursor.line_prefix, cursor.line_suffix, cursor.document.language_id):
        return "line" if cursor.line_prefix.strip() else "gap"
    if context is None:
        return "line" if cursor.line_prefix.strip() or cursor.line_suffix.strip() else "block"
    if context.in_string or context.in_comment or context.open_brackets:
        return "line"
    if _starts_function_body(cursor, context):
        return "function"
    begun = cursor.prefix[context.line_start :].strip()
    if begun and not (_COMPOUND.match(begun) and begun.endswith(":")):
        return "line"
    return "line" if cursor.line_suffix.strip() else "block"


def _starts_function_body(cursor: Cursor, context: PythonContext) -> bool:
    """Whether a function's body should begin at the cursor, and none of it is there yet."""
    function = context.function
    if function is None or not function.body_is_empty or context.position not in {"after_docstring", "body"}:
        return False
    headed = cursor.offset == function.body_start
    if (cursor.line_prefix.strip() and not headed) or cursor.line_suffix.strip():
        return False
    indent = _first_indent(cursor.suffix[len(cursor.line_suffix) :])
    return indent is None or column(indent) <= column(function.indent)


def _first_indent(text: str) -> str | None:
    """Return the indentation of the first line that is not blank; None if there is none."""
    found = _NEXT_LINE.search(plain_line_ends(text))
    return found["indent"] if found else None
