"""Lines that must still fit after what is inserted before them.

Above all the line after a gap: whole lines are to be inserted before the one on which the cursor stands. In
Python its indentation decides: after ``for x in xs:`` it must be deeper; after another statement it must
equal that of the statement or of a block around it.
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


def end_before_deeper_line(text: str, situation: Situation) -> int | None:
    """Return how much of ``text`` the first line below can follow; None if it is too deep for any of it.

    Only a header, such as ``for x in xs:``, or an open bracket may precede a deeper line. One that is not
    deeper than the end of ``text`` fits.
    """
    state, rest = situation.state, situation.line_suffix.strip()
    if situation.context is None or situation.scope == "gap" or state.quote or state.brackets or rest:
        return len(text)
    ends = [len(text), *reversed(lex(text, state=state, language=situation.language).lines)]
    fitting = (stop for stop in ends if text[:stop].strip() and not _is_below_deeper(text[:stop], situation))
    return next(fitting, None)


def _is_below_deeper(text: str, situation: Situation) -> bool:
    """Whether the line below is deeper than the last statement of ``text``, which opens nothing for it."""
    begun = (situation.line_prefix + text).rstrip()
    read = lex(begun, language=situation.language)
    *_, last = (0, *read.lines)
    statement = begun[last:]
    if read.state.brackets or read.state.quote or statement.endswith("\\") or not _without_comment(statement):
        return False
    return situation.column_below > column_of(statement, situation.tab_width) and not _opens_block(
        statement, situation
    )


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
    if _opens_block(statement, situation):
        return after > indent
    return after == indent or after in _open_columns(situation.cursor.prefix + text, indent, width)


def _opens_block(statement: str, situation: Situation) -> bool:
    colons = lex(statement, language=situation.language).colons
    return bool(colons) and not _without_comment(statement[colons[-1] :])


def _without_comment(text: str) -> str:
    return text.partition("#")[0].strip()


def _open_columns(text: str, below: int, width: int) -> Iterator[int]:
    """Yield the columns of the blocks around the last line of ``text``, which stands at column ``below``."""
    for line in reversed(text.splitlines()):
        indent = column_of(line, width)
        if line.strip() and indent < below:
            below = indent
            yield indent
