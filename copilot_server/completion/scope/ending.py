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
from copilot_server.context.brackets import CLOSING_BRACKETS, PAIRS
from copilot_server.context.indentation import column, column_of, indent_of
from copilot_server.context.source.lexer import LexState, lex

#: Beginnings of texts that a rule remembers: one for each candidate that may be decoded side by side.
REMEMBERED = 16

_LINE = re.compile(rf"(?:\A|[\r\n])(?P<indent>[ \t\f]*)(?:(?P<closes>(?=[{CLOSING_BRACKETS}]))|(?=\S))")
#: The words that close a block where brackets do not, on a line of their own.
_CLOSING_WORD = re.compile(r"[ \t]*(?:end|fi|done|esac)\b[ \t]*(?:[\r\n]|\Z)")
_WITH_CLOSING_WORDS = frozenset({"lua", "ruby", "shellscript", "sh", "bash", "zsh", "elixir", "julia"})
_CLOSER = re.compile(f"[{CLOSING_BRACKETS}]")
_FIRST_LINE = re.compile(r"(?:[ \t\f]*(?:\r\n|\n|\r))*+(?P<indent>[ \t\f]*)(?=\S)")
_LINE_END = re.compile(r"\r\n|\n|\r")
_BLANK_LINE = re.compile(r"[ \t\f]*[\r\n]")
_FIRST_WORD = re.compile(r"\s*(?P<word>\w+)")
_DEEPER_LINE = re.compile(r"[\r\n][ \t]+[^ \t\r\n]")
_BLANK_LINE_BEFORE = re.compile(r"\S[ \t]*(?>\r\n|\n|\r)(?:[ \t]*(?:\r\n|\n|\r))++\Z")


def scope_end(text: str, situation: Situation) -> int | None:
    """Return the offset in ``text`` at which the scope ends; None if ``text`` stays inside so far."""
    return StopRule(situation).end(text)


@dataclass(frozen=True, slots=True)
class _Checked:
    """A beginning of a text in which the scope does not end: all before ``end``, at which a line ends.

    ``beginning`` includes the first character of the line end, which shows where the last token ended.
    ``state`` is what is open at ``end``.
    """

    beginning: str
    end: int
    state: LexState


class StopRule:
    """Decides whether a growing text reaches beyond the scope, so that decoding may stop.

    It is called after each token, and reads only the last line of the text and what has been added to it; all
    of the text only where that may close a bracket that the lines below the cursor close.
    """

    def __init__(self, situation: Situation) -> None:
        self._situation = situation
        self._checked: deque[_Checked] = deque(maxlen=REMEMBERED)
        self._unread = _Checked("", 0, _state_at_start(situation))
        self._unread_in_bracket = _Checked("", 0, situation.state)

    def __call__(self, text: str) -> bool:
        """Whether the scope ends in ``text``."""
        return self.end(text) is not None

    def end(self, text: str) -> int | None:
        """Return the offset at which the scope ends; None if ``text`` stays inside so far."""
        checked = next((one for one in self._checked if text.startswith(one.beginning)), None)
        if checked is None:
            fills_bracket = _BLANK_LINE.match(text) and _opens_bracket(self._situation)
            checked = self._unread_in_bracket if fills_bracket else self._unread
        finders = (_FINDERS[self._situation.scope], _closed_below)
        found = (find(text, checked, self._situation) for find in finders)
        end = min((one for one in found if one is not None), default=None)
        if end is None:
            self._remember(text, checked)
        return end

    def _remember(self, text: str, checked: _Checked) -> None:
        """Remember all but the last line of ``text``: text that is added later cannot change those lines."""
        end = _last_line_end(text)
        if end > checked.end and text[end - 1] != "\\":  # a backslash joins the line end to its token
            state = lex(text, checked.end, end, checked.state, self._situation.language).state
            self._checked.appendleft(_Checked(text[: end + 1], end, state))


def _last_line_end(text: str) -> int:
    """Return where the last line end of ``text`` starts; -1 if there is none."""
    end = max(text.rfind("\n"), text.rfind("\r"))
    return end - 1 if text.startswith("\r\n", end - 1) else end


def _is_prose(situation: Situation) -> bool:
    """Whether every line stands alone, as in multi-line strings, comments and languages other than Python."""
    return situation.context is None or len(situation.state.quote) == 3 or situation.state.in_comment


def _state_at_start(situation: Situation) -> LexState:
    """Return what is open at the cursor and has to be closed by the suggestion.

    That excludes brackets that the rest of the line closes, so they do not keep the line open.
    """
    state = situation.state
    if situation.scope != "line":
        return state
    unclosed = state.brackets[: len(state.brackets) - situation.brackets_closed_after]
    return LexState(state.quote, brackets=unclosed)


def _closed_below(text: str, checked: _Checked, situation: Situation) -> int | None:
    """Return where ``text`` begins to close a bracket that the lines below the cursor close already."""
    closed = situation.brackets_closed_below
    if not closed or not _CLOSER.search(text, max(checked.end, 0)):
        return None
    state = situation.state
    closers = lex(text, state=state).closers[len(state.brackets) - closed + bool(state.quote) :]
    return len(text[: closers[0] - 1].rstrip()) if closers else None


def _opens_bracket(situation: Situation) -> bool:
    """Whether the cursor is right after an open bracket that the rest of the line closes.

    A suggestion that begins with a line end lays that bracket's contents out below each other. It is not over
    before it closes the bracket itself.
    """
    is_last = situation.line_prefix.rstrip()[-1:] in PAIRS
    closes = situation.brackets_closed_after > 0 and situation.closing_run == situation.line_suffix
    return situation.scope == "line" and is_last and closes


def _line_end(text: str, checked: _Checked, situation: Situation) -> int | None:
    """Return the end of the cursor's logical line; in prose, of the line itself."""
    first = _LINE_END.search(text)
    if first is None or _is_prose(situation):
        return first.start() if first else None
    lines = lex(text, checked.end, state=checked.state).lines
    return len(text[: lines[0]].rstrip("\r\n")) if lines else None


def _block_end(text: str, checked: _Checked, situation: Situation) -> int | None:
    """Return the start of the first line outside the block, as soon as its first character is known.

    Closing brackets left of the block do not end it, unless the lines below are in what they close. Lines
    inside brackets or strings do not either. Most texts have no line that far left, so each token costs only
    one search of the line starts.
    """
    outside = list(_lines_left_of(text, checked.end, _leftmost_column(text, situation), situation))
    if not outside:
        return None
    starts = {0, *lex(text, checked.end, state=checked.state, language=situation.language).lines}
    return next((start for start in outside if start in starts), None)


def _gap_end(text: str, checked: _Checked, situation: Situation) -> int | None:
    """Return the start of the first line that repeats the one after the gap, or lies outside the block."""
    after = f"{situation.line_prefix}{situation.line_suffix}".rstrip()
    start = max(checked.end, 0)
    while (start := text.find("\n", start) + 1) > 0:
        line, ended, _ = text[start:].partition("\n")
        if ended and line.rstrip() == after:
            return start
    return _block_end(text, checked, situation)


def _lines_left_of(text: str, read: int, limit: int, situation: Situation) -> Iterator[int]:
    """Yield the starts of the lines left of column ``limit``, and of those at it that begin a new paragraph.

    Only lines that start after ``read``, at which there is a line end, are considered. Of those that begin
    with a closing bracket or word, the ones that close what the lines below are still in; Python's brackets
    are looked at as such: see ``_closed_below``.
    """
    begun = situation.line_prefix
    for found in _LINE.finditer(text, read):
        start, indent = found.start("indent"), found["indent"]
        closes = found["closes"] is not None or _closes_by_word(text, start, situation)
        if start == 0 and (closes or begun.strip()):
            continue
        depth = column(begun + indent if start == 0 else indent, situation.tab_width)
        if closes:
            is_outside = situation.context is None and depth < min(limit, situation.column_below)
        else:
            is_outside = depth < limit or (depth == limit and _is_something_new(text, start, situation))
        if is_outside:
            yield start


def _closes_by_word(text: str, start: int, situation: Situation) -> bool:
    """Whether the line at ``start`` closes a block by a word, as far as it is there."""
    return situation.language in _WITH_CLOSING_WORDS and _CLOSING_WORD.match(text, start) is not None


def _leftmost_column(text: str, situation: Situation) -> int:
    """Return the leftmost column inside the scope: its first line's, but inside the enclosing definition."""
    width, context = situation.tab_width, situation.context
    around = context.enclosing[-1].indent if context and context.enclosing else None
    inside = 0 if around is None else column(around, width) + 1
    if situation.scope in {"function", "gap"}:
        return inside
    if situation.line_prefix.strip():
        line = situation.cursor.document.text[context.line_start :] if context else situation.line_prefix
        return max(inside, column_of(line, width) + 1)
    first = _FIRST_LINE.match(situation.line_prefix + text)
    return max(inside, column(first["indent"], width)) if first else inside


def _is_something_new(text: str, start: int, situation: Situation) -> bool:
    """Whether a line begins something new although it is no further left than the text."""
    return _is_new_paragraph(text, start, situation) or _begins_another(text, start, situation)


def _begins_another(text: str, start: int, situation: Situation) -> bool:
    """Whether a line at the margin begins with the word that the text began with, after deeper lines.

    In other languages than Python a function may follow another without a blank line. Before a gap's end any
    number may stand.
    """
    in_gap = situation.scope == "gap"
    if situation.context is not None or in_gap or column(indent_of(text, start)):
        return False
    first, line = _FIRST_WORD.match(situation.line_prefix + text), _FIRST_WORD.match(text, start)
    has_body = _DEEPER_LINE.search(text, 0, start) is not None
    return has_body and first is not None and line is not None and first["word"] == line["word"]


def _is_new_paragraph(text: str, start: int, situation: Situation) -> bool:
    """Whether a line after a blank one begins something new although it is no further left.

    In a module or class no line is further left than the next definition, so there a blank line ends the
    scope. So it does in other languages at the margin, and where the text began by closing the block.
    """
    in_body = situation.context is not None and situation.context.function is not None
    at_margin = situation.context is not None or not column(indent_of(text, start))
    has_closed = situation.context is None and bool(_CLOSER.match(text.lstrip()))
    return not in_body and (at_margin or has_closed) and bool(_BLANK_LINE_BEFORE.search(text, 0, start))


_FINDERS = {"line": _line_end, "block": _block_end, "function": _block_end, "gap": _gap_end}
