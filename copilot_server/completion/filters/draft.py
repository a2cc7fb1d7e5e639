"""A suggestion on its way through the filters, and how the filters look at its lines."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from copilot_server.completion.scope.scope import Situation
from copilot_server.context.source.code import plain_line_ends
from copilot_server.context.source.lexer import Lexed, lex
from copilot_server.engine.base import FinishReason


@dataclass(frozen=True, slots=True)
class Draft:
    """Insert ``text`` at the cursor in place of the ``replaced`` code points that follow it."""

    text: str
    replaced: int = 0
    finish_reason: FinishReason = "stop"


#: Returns the draft, shortened or mended, or None where nothing worth showing remains.
Filter = Callable[[Draft, Situation], Draft | None]


def lexed(text: str, situation: Situation) -> Lexed:
    """Read ``text`` as what follows the cursor."""
    return lex(text, state=situation.state, language=situation.language)


def is_in_own_brackets(text: str, start: int, situation: Situation) -> bool:
    """Whether ``text`` has a bracket open at ``start`` that it has opened itself."""
    return lexed(text[:start], situation).own_brackets > 0


def with_line_feeds(text: str) -> str:
    """Return ``text`` with a line feed for every line end."""
    return plain_line_ends(text).replace("\r\n", "\n")


def line_starts(text: str, situation: Situation) -> list[int]:
    """Return where lines of the document start in ``text``, those inside strings left out."""
    begins_line = not situation.line_prefix.strip() and not situation.state.quote
    return ([0] if begins_line else []) + list(lexed(text, situation).breaks)


def visible_lines(text: str) -> list[str]:
    """Return the lines that are not blank, without the blanks at their ends."""
    stripped = (line.rstrip() for line in with_line_feeds(text).split("\n"))
    return [line for line in stripped if line]
