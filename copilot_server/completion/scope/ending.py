"""When a suggestion has reached the end of its scope.

The same rule stops decoding (``StopRule``) and cuts the candidate (``scope_end``), so nothing is decoded that
would be cut again, and nothing is shown that decoding should have stopped at.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from copilot_server.completion.scope.scope import Situation
from copilot_server.context.source.lexer import LexState, column, lex

#: Beginnings of texts that a rule remembers: one for each candidate that may be decoded side by side.
REMEMBERED = 16

_LINE = re.compile(r"(?:\A|[\r\n])(?P<indent>[ \t\f]*)(?=[^\s)\]}])")
_FIRST_LINE = re.compile(r"(?:[ \t\f]*(?:\r\n|\n|\r))*+(?P<indent>[ \t\f]*)(?=\S)")
_INDENT = re.compile(r"[ \t\f]*")
_LINE_END = re.compile(r"\r\n|\n|\r")
_BLANK_LINE_BEFORE = re.compile(r"\S[ \t]*(?>\r\n|\n|\r)(?:[ \t]*(?:\r\n|\n|\r))++\Z")


def scope_end(text: str, situation: Situation) -> int | None:
    """Return the offset in ``text`` at which the scope ends; None if ``text`` stays inside so far."""
    return StopRule(situation).end(text)


@dataclass(frozen=True, slots=True)
class _Settled:
    """A beginning of a text in which the scope does not end: all before ``end``, at which a line ends.

    ``beginning`` has the line end's first character too, for that is what tells where the last token ended.
    ``state`` is what is open at ``end``.
    """

    beginning: str
    end: int
    state: LexState


class StopRule:
    """Says of a text that grows whether it reaches beyond the scope, so that decoding may stop.

    It is asked after each token, and of each text reads only the last line or what has been added to it.
    """

    def __init__(self, situation: Situation) -> None:
        self._situation = situation
        self._settled: deque[_Settled] = deque(maxlen=REMEMBERED)
        self._unread = _Settled("", 0, _state_at_start(situation))

    def __call__(self, text: str) -> bool:
        """Whether the scope ends in ``text``."""
        return self.end(text) is not None

    def end(self, text: str) -> int | None:
        """Return the offset at which the scope ends; None if ``text`` stays inside so far."""
        settled = next((one for one in self._settled if text.startswith(one.beginning)), self._unread)
        end = _FINDERS[self._situation.scope](text, settled, self._situation)
        if end is None:
            self._settle(text, settled)
        return end

    def _settle(self, text: str, settled: _Settled) -> None:
        """Remember all but the last line of ``text``: what is added to it cannot change what they are."""
        end = _last_line_end(text)
        if end > settled.end and text[end - 1] != "\\":  # a backslash takes the line end into its token
            state = lex(text, settled.end, end, settled.state, self._situation.language).state
            self._settled.appendleft(_Settled(text[: end + 1], end, state))


def _last_line_end(text: str) -> int:
    """Return where the last line end of ``text`` starts; -1 if there is none."""
    end = max(text.rfind("\n"), text.rfind("\r"))
    return end - 1 if text.startswith("\r\n", end - 1) else end


def _is_prose(situation: Situation) -> bool:
    """Whether a line is a line: in strings of many lines, comments, and languages that we do not know."""
    return situation.context is None or len(situation.state.quote) == 3 or situation.state.in_comment


def _state_at_start(situation: Situation) -> LexState:
    """Return what is open at the cursor and the suggestion's to close.

    Brackets that the rest of the line closes are not, so they do not keep the line open.
    """
    state = situation.state
    if situation.scope != "line":
        return state
    mine = state.brackets[: len(state.brackets) - situation.brackets_closed_after]
    return LexState(state.quote, brackets=mine)


def _line_end(text: str, settled: _Settled, situation: Situation) -> int | None:
    """Return the end of the cursor's logical line; in prose, of the line itself."""
    first = _LINE_END.search(text)
    if first is None or _is_prose(situation):
        return first.start() if first else None
    lines = lex(text, settled.end, state=settled.state).lines
    return len(text[: lines[0]].rstrip("\r\n")) if lines else None


def _block_end(text: str, settled: _Settled, situation: Situation) -> int | None:
    """Return the start of the first line outside the block, as soon as its first character is known.

    Closing brackets left of the block, and lines inside brackets or strings, do not end it. Most texts have
    no line that far left, so that one look at the line starts is all they cost a token.
    """
    outside = list(_lines_left_of(text, settled.end, _leftmost_column(text, situation), situation))
    if not outside:
        return None
    starts = {0, *lex(text, settled.end, state=settled.state, language=situation.language).lines}
    return next((start for start in outside if start in starts), None)


def _gap_end(text: str, settled: _Settled, situation: Situation) -> int | None:
    """Return the start of the first line that is the one after the gap, or that is outside what is around."""
    after = f"{situation.line_prefix}{situation.line_suffix}".rstrip()
    start = max(settled.end, 0)
    while (start := text.find("\n", start) + 1) > 0:
        line, ended, _ = text[start:].partition("\n")
        if ended and line.rstrip() == after:
            return start
    return _block_end(text, settled, situation)


def _lines_left_of(text: str, read: int, limit: int, situation: Situation) -> Iterator[int]:
    """Yield the starts of the lines left of column ``limit``, or on it and beginning something new.

    Only of lines that start after ``read``, at which there is a line end.
    """
    begun = situation.line_prefix
    for found in _LINE.finditer(text, read):
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
    if situation.scope in {"function", "gap"}:
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


_FINDERS = {"line": _line_end, "block": _block_end, "function": _block_end, "gap": _gap_end}


def _indent(line: str) -> str:
    found = _INDENT.match(line)
    return found[0] if found else ""
