"""How much to suggest, and when a suggestion has reached its end.

The same rule stops decoding (``is_complete``) and cuts the candidate (``scope_end``), so nothing is decoded
that would be cut again, and nothing is shown that decoding should have stopped at.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from copilot_server.context.code import indent_unit, plain_line_ends
from copilot_server.context.document import Cursor
from copilot_server.context.lexer import LexState, column, lex
from copilot_server.context.syntax import PythonContext, python_context

Scope = Literal["line", "block", "function"]

_CLOSERS_ONLY = re.compile(r"[\s)\]}>\"'`:;,]*")
_COMPOUND = re.compile(
    r"\s*(?:async\s+)?(?:def|class|if|elif|else|for|while|try|except|finally|with|match|case)\b"
)
_LINE = re.compile(r"(?:\A|[\r\n])(?P<indent>[ \t\f]*)(?=[^\s)\]}])")
_FIRST_LINE = re.compile(r"(?:[ \t\f]*(?:\r\n|\n|\r))*+(?P<indent>[ \t\f]*)(?=\S)")
_INDENT = re.compile(r"[ \t\f]*")
_LINE_END = re.compile(r"\r\n|\n|\r")
_BLANK_LINE_BEFORE = re.compile(r"\S[ \t]*(?>\r\n|\n|\r)(?:[ \t]*(?:\r\n|\n|\r))++\Z")
_NEXT_LINE = re.compile(r"^(?P<indent>[ \t\f]*)(?=\S)", re.MULTILINE)


@dataclass(frozen=True)
class Situation:
    """Where a suggestion goes and how far it may reach: all that the stop rule and the filters look at.

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
        """What the document indents a nested line by."""
        return indent_unit(plain_line_ends(self.cursor.document.text))

    @cached_property
    def tab_width(self) -> int:
        """How wide a tab counts: 4 where tabs indent, as models write 4 spaces for one; else Python's 8."""
        return 4 if self.indent_unit == "\t" else 8

    @cached_property
    def state(self) -> LexState:
        """What is open at the cursor; in other languages, as far as its line shows."""
        return self.context.state if self.context else lex(self.line_prefix, language=self.language).state

    @cached_property
    def brackets_closed_after(self) -> int:
        """How many of the brackets open at the cursor the rest of its line closes."""
        closers = lex(self.line_suffix, state=self.state, language=self.language).closers
        return sum(self.line_suffix[end - 1] in ")]}" for end in closers)


def situation_at(cursor: Cursor) -> Situation:
    """Read the text around ``cursor`` and choose how much to suggest there."""
    context = python_context(cursor) if cursor.document.language_id == "python" else None
    return Situation(cursor, context, choose_scope(cursor, context))


def choose_scope(cursor: Cursor, context: PythonContext | None) -> Scope:
    """Choose how much to suggest at ``cursor``.

    In order, with the reason:

    1. Text other than closers follows on the line: "line". More lines would push that text away from what it
       belongs to.
    2. In a string or a comment: "line". Prose has no indentation that could end a longer suggestion.
    3. The line ends where a function's empty body begins, and no body follows: "function". The signature and
       docstring say what the whole function does.
    4. The line opens some other block: "block", since a body must come.
    5. The line is begun: "line", what the user is in the middle of writing.
    6. The line is blank: "block".
    """
    if not _CLOSERS_ONLY.fullmatch(cursor.line_suffix):
        return "line"
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
    """Whether a function's body should begin at the cursor, and nothing of it is there."""
    function = context.function
    if function is None or not function.body_is_empty or context.place not in {"after_docstring", "body"}:
        return False
    headed = cursor.offset == function.body_start
    if (cursor.line_prefix.strip() and not headed) or cursor.line_suffix.strip():
        return False
    following = cursor.suffix[len(cursor.line_suffix) :]
    found = _NEXT_LINE.search(plain_line_ends(following))
    return found is None or column(found["indent"]) <= column(function.indent)


def is_complete(text_so_far: str, situation: Situation) -> bool:
    """Whether what the model has written reaches beyond the scope, so that decoding may stop."""
    return scope_end(text_so_far, situation) is not None


def scope_end(text: str, situation: Situation) -> int | None:
    """Return the offset in ``text`` at which the scope ends; None if ``text`` stays inside so far."""
    if situation.scope == "line":
        return _line_end(text, situation)
    return _block_end(text, situation)


def _line_end(text: str, situation: Situation) -> int | None:
    """Return the end of the cursor's logical line.

    In prose and in languages we do not know it is the line's own end. Brackets that the rest of the line
    closes do not keep the line open: they are not the suggestion's to close.
    """
    state = situation.state
    if situation.context is None or len(state.quote) == 3 or state.in_comment:
        found = _LINE_END.search(text)
        return found.start() if found else None
    mine = state.brackets[: len(state.brackets) - situation.brackets_closed_after]
    lexed = lex(text, state=LexState(state.quote, brackets=mine))
    return len(text[: lexed.lines[0]].rstrip("\r\n")) if lexed.lines else None


def _block_end(text: str, situation: Situation) -> int | None:
    """Return the start of the first line outside the block, as soon as its first character is known.

    Closing brackets left of the block, and lines inside brackets or strings, do not end it. Most texts have
    no line that far left, so that one look at the line starts is all they cost a token.
    """
    outside = list(_lines_left_of(text, _leftmost_column(text, situation), situation))
    if not outside:
        return None
    lexed = lex(text, state=situation.state, language=situation.language)
    starts = {0, *lexed.lines}
    return next((start for start in outside if start in starts), None)


def _lines_left_of(text: str, limit: int, situation: Situation) -> Iterator[int]:
    """Yield the starts of the lines left of column ``limit``, or on it and beginning something new."""
    begun = situation.line_prefix
    for found in _LINE.finditer(text):
        start, indent = found.start("indent"), found["indent"]
        if start == 0 and begun.strip():
            continue
        depth = column(begun + indent if start == 0 else indent, situation.tab_width)
        if depth < limit or (depth == limit and _is_new_paragraph(text, start, situation)):
            yield start


def _leftmost_column(text: str, situation: Situation) -> int:
    """Return the leftmost column inside the scope: where its first line stands, but inside what is around."""
    width, context = situation.tab_width, situation.context
    around = context.enclosing[-1].indent if context and context.enclosing else None
    inside = 0 if around is None else column(around, width) + 1
    if situation.scope == "function":
        return inside
    if situation.line_prefix.strip():
        line = situation.cursor.document.text[context.line_start :] if context else situation.line_prefix
        return max(inside, column(_indent(line), width) + 1)
    first = _FIRST_LINE.match(situation.line_prefix + text)
    return max(inside, column(first["indent"], width)) if first else inside


def _is_new_paragraph(text: str, start: int, situation: Situation) -> bool:
    """Whether a line after a blank one begins something new, though no further left.

    In a module or class nothing is further left than the next definition; there one is enough.
    """
    in_body = situation.context is not None and situation.context.function is not None
    at_margin = situation.context is not None or column(_indent(text[start:])) == 0
    return not in_body and at_margin and bool(_BLANK_LINE_BEFORE.search(text, 0, start))


def _indent(line: str) -> str:
    found = _INDENT.match(line)
    return found[0] if found else ""
