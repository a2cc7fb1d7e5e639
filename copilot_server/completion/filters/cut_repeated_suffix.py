"""The filter that cuts a suggestion where it repeats what already follows the cursor."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import takewhile

from copilot_server.completion.filters.draft import Draft, is_in_own_brackets, lexed, visible_lines
from copilot_server.completion.scope.scope import Situation
from copilot_server.context.indentation import indent_of

_LOOKED_AT = 4_000  # code points of the document after the cursor
_COMPARED_LINES = 3  # how many equal lines make a repeat of what follows
_NEAR = 2  # behind how many lines two lines count as repeated, if they are all that is left
#: What rows of a table may have in common: signs, numbers and constants.
_ROW = re.compile(r"(?:[^\w\"']|\d[\w.]*|\b(?:None|True|False)\b)*")
#: A line that closes brackets, and may end a statement or an element.
_CLOSERS = re.compile(r"\s*[)\]}]+[;,]?")
#: Brackets hold a keyword argument or a key only once.
_KEY = re.compile(r"\s*(?:\w+ *=(?!=)|(?:\"[^\"]*\"|'[^']*') *:)")


def cut_repeated_suffix(draft: Draft, situation: Situation) -> Draft | None:
    """Cut the suggestion where it goes on with lines that already follow the cursor or stand further below.

    In brackets that lines below close, an element that stands in them below is cut off, too.
    """
    in_gap = situation.scope == "gap"
    after = situation.cursor.suffix[0 if in_gap else len(situation.line_suffix) :]
    following = visible_lines((situation.line_prefix if in_gap else "") + after[:_LOOKED_AT])
    alone = in_gap or (not situation.state.brackets and not situation.line_suffix.strip())
    in_brackets = situation.brackets_closed_below > 0 and not situation.state.quote
    for start in (0, *lexed(draft.text, situation).breaks):
        lines = visible_lines((situation.line_prefix if start == 0 else "") + draft.text[start:])
        repeats = _repeats(lines, following) or _stand_below(lines, following, situation)
        repeats = repeats and (start > 0 or alone)
        if not repeats and not (in_brackets and lines and _is_below(lines[0], following)):
            continue
        is_blank = not draft.text[start:].split("\n", 1)[0].strip()
        if not is_blank and not is_in_own_brackets(draft.text, start, situation):
            return replace(draft, text=draft.text[:start])
    return draft


def _repeats(lines: list[str], following: list[str]) -> bool:
    """Whether ``lines`` are those that follow, to the end of either. After closers, `;` and `,` do not count.

    An editor puts ``)`` on a line of its own below, where a model ends a statement with ``);``.
    """
    compared = min(len(lines), len(following), _COMPARED_LINES)
    pairs = zip(lines[:compared], following[:compared], strict=True)
    return compared > 0 and all(_without_sign(one) == _without_sign(other) for one, other in pairs)


def _stand_below(lines: list[str], following: list[str], situation: Situation) -> bool:
    """Whether ``lines`` stand in their block below, behind others: three of them, or two near the cursor.

    Rows in brackets may be equal, and so may the lines of two blocks.
    """
    compared = lines[:_COMPARED_LINES]
    if situation.state.brackets[-1:] in ("(", "[") or situation.state.quote:
        return False
    if sum(not _ROW.fullmatch(line) for line in compared) < 2:
        return False
    indent = indent_of(compared[0])
    block = list(takewhile(lambda one: indent_of(one).startswith(indent), following))
    last = len(block) if len(compared) == _COMPARED_LINES else _NEAR
    return any(block[at : at + len(compared)] == compared for at in range(1, last + 1))


def _without_sign(line: str) -> str:
    return line.rstrip(";,") if _CLOSERS.fullmatch(line) else line


def _is_below(line: str, following: list[str]) -> bool:
    """Whether the element that begins with ``line`` is the next one below, or has the key of any below."""
    indent = indent_of(line)
    if not following or indent_of(following[0]) != indent:
        return False
    if line.rstrip(",") == following[0].rstrip(",") and not _ROW.fullmatch(line):
        return True
    key = _key(line)
    elements = takewhile(lambda one: indent_of(one).startswith(indent), following)
    return key is not None and key in map(_key, elements)


def _key(line: str) -> str | None:
    """Return the key with which ``line`` begins, with its indentation; None if it begins with none."""
    found = _KEY.match(line)
    return found[0] if found else None
