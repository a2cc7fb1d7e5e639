"""Closers: the characters that may follow the cursor on a line that otherwise ends at the cursor.

Since ``>`` is an operator as well, it counts as a closer only in languages that have angle brackets, and only
where its ``<`` is open.
"""

from __future__ import annotations

import re

from copilot_server.context.brackets import ANGLE_LANGUAGES, CLOSING_BRACKETS, ENDS, QUOTES
from copilot_server.context.source.lexer import lex

_CLOSERS = re.compile(rf"[\s{CLOSING_BRACKETS}{QUOTES}{ENDS}]*")
_INSERTED = re.compile(rf"[{CLOSING_BRACKETS}{QUOTES}]+")
_INSERTED_WITH_ANGLES = re.compile(rf"[{CLOSING_BRACKETS}{QUOTES}>]+")


def closing_run(before: str, after: str, language: str) -> str:
    """Return the closers, blanks and signs that end a statement with which ``after`` begins.

    ``before`` is the cursor's line up to the cursor, ``after`` the rest of it.
    """
    end = _end_of_closers(after, 0)
    if end < len(after) and after[end] == ">" and language in ANGLE_LANGUAGES:
        open_angles = lex(before, language=language, angles=True).state.brackets.count("<")
        while open_angles and after.startswith(">", end) and not after.startswith(">=", end):
            open_angles -= 1
            end = _end_of_closers(after, end + 1)
    return after[:end]


def is_free(before: str, after: str, language: str) -> bool:
    """Whether nothing but closers follows on the cursor's line, so that more can be written before them."""
    return closing_run(before, after, language) == after


def may_be_inserted(text: str, language: str | None = None) -> bool:
    """Whether ``text`` consists of closers that editors insert by themselves; None: in any language."""
    with_angles = language is None or language in ANGLE_LANGUAGES
    return bool((_INSERTED_WITH_ANGLES if with_angles else _INSERTED).fullmatch(text))


def has_only_closers(text: str, language: str, *, in_string: bool) -> bool:
    """Whether ``text`` consists of closers, blanks and signs that end a statement.

    ``in_string``: whether it begins in a string; otherwise its first quote closes nothing.
    """
    if not in_string and any(quote in text for quote in QUOTES):
        return False
    return bool(_CLOSERS.fullmatch(text.replace(">", "") if language in ANGLE_LANGUAGES else text))


def _end_of_closers(text: str, start: int) -> int:
    found = _CLOSERS.match(text, start)
    return found.end() if found else start
