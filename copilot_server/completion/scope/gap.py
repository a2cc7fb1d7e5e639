"""A gap: whole lines are to be inserted before the one on which the cursor stands.

That line must still fit after the inserted lines. In Python its indentation decides: after ``for x in xs:``
it must be deeper; after another statement it must equal that of the statement or of a block around it.
"""

from __future__ import annotations

from collections.abc import Iterator

from copilot_server.completion.scope.ending import StopRule
from copilot_server.completion.scope.scope import Situation
from copilot_server.context.indentation import column_of
from copilot_server.context.source.lexer import lex


def fitting_end(text: str, situation: Situation, *, is_whole: bool) -> int | None:
    """Return how much of ``text`` to insert; None if the line after the gap fits after no part of it.

    All of it is inserted if the model itself ended the gap (``is_whole``), or went on with the line that
    follows. A model that did neither has lost sight of what follows. Then only the first lines that fit are
    inserted, usually a single one.
    """
    end = StopRule(situation).end(text)
    joins = is_whole if end is None else _is_line_after(text[end:], situation)
    inside = text if end is None else text[:end]
    ends = [*lex(inside, state=situation.state, language=situation.language).lines, len(inside)]
    fitting = (stop for stop in ends if inside[:stop].strip() and _fits(inside[:stop], situation))
    if joins and _fits(inside, situation):
        return len(inside)
    return next(fitting, None)


def _is_line_after(text: str, situation: Situation) -> bool:
    after = f"{situation.line_prefix}{situation.line_suffix}".rstrip()
    return text.partition("\n")[0].rstrip() == after


def _fits(text: str, situation: Situation) -> bool:
    """Whether the line after the gap fits after ``text``. Outside of Python's statements it always does."""
    state = situation.state
    if situation.context is None or state.quote or state.brackets:
        return True
    width = situation.tab_width
    after = column_of(situation.line_prefix + situation.line_suffix, width)
    begun = situation.line_prefix + text.rstrip()
    *_, last = (0, *lex(begun, state=state, language=situation.language).lines)
    indent, statement = column_of(begun[last:], width), begun[last:]
    colons = lex(statement, language=situation.language).colons
    if colons and not _without_comment(statement[colons[-1] :]):
        return after > indent
    return after == indent or after in _open_columns(situation.cursor.prefix + text, indent, width)


def _without_comment(text: str) -> str:
    return text.partition("#")[0].strip()


def _open_columns(text: str, below: int, width: int) -> Iterator[int]:
    """Yield the columns of the blocks around the last line of ``text``, which stands at column ``below``."""
    for line in reversed(text.splitlines()):
        indent = column_of(line, width)
        if line.strip() and indent < below:
            below = indent
            yield indent
