"""The filter that replaces what a suggestion repeats of the rest of the cursor's line."""

from __future__ import annotations

import re
from dataclasses import replace

from copilot_server.completion.filters.draft import Draft
from copilot_server.completion.scope.scope import Situation
from copilot_server.context.brackets import CLOSING_BRACKETS, QUOTES
from copilot_server.context.source.lexer import lex

_WORD = re.compile(r"\w")
#: What ends a line without closing anything: `;`, `:` or `{`.
_SIGNS = re.compile(rf"[^\w{CLOSING_BRACKETS}{QUOTES}]+")


def replace_line_suffix(draft: Draft, situation: Situation) -> Draft | None:
    """Replace what the suggestion repeats of the rest of the line, mostly closers that the editor inserted.

    A closer counts as repeated only if it closes something opened before the cursor: in ``bar(‸)``,
    ``foo(x)`` ends in a closer of its own.
    """
    suffix = situation.line_suffix.rstrip()
    if not suffix or situation.scope == "gap":
        return draft
    replaced = _repeated_tail(draft.text, suffix, situation) or _repeated_closers(draft.text, situation)
    if replaced and draft.text.strip() == suffix[:replaced].strip():
        return None
    return replace(draft, replaced=replaced)


def _repeated_tail(text: str, suffix: str, situation: Situation) -> int:
    """Return the length of ``suffix`` if ``text`` ends in it, but not in half a word or its own closers."""
    text = text.rstrip()
    if not text.endswith(suffix):
        return 0
    head = text[: len(text) - len(suffix)]
    splits_word = bool(_WORD.match(suffix)) and bool(_WORD.match(head[-1:]))
    closes_less = len(_closed(text, situation)) < len(_closed(suffix, situation))
    return 0 if splits_word or closes_less else len(suffix)


def _repeated_closers(text: str, situation: Situation) -> int:
    """Return how much of the closers that follow the cursor ``text`` writes itself."""
    closers = situation.closing_run.rstrip()
    replaced = written = 0
    for closer, end in _closed(text, situation):
        at = replaced + len(closers[replaced:]) - len(closers[replaced:].lstrip())
        if not closers.startswith(closer, at):
            break
        replaced, written = at + len(closer), end
    if not replaced:
        return 0
    suffix = situation.line_suffix.rstrip()
    rest = suffix[replaced:].strip()
    if (_SIGNS.fullmatch(rest) or rest.startswith("</")) and text.rstrip().endswith(rest):
        return len(suffix)
    rest = closers[replaced:]
    return len(closers) if rest and text[written:].startswith(rest) else replaced


def _closed(text: str, situation: Situation) -> list[tuple[str, int]]:
    """Return the closers in ``text`` of what is open at the cursor, each with where it ends."""
    state, angles = situation.state, ">" in situation.closing_run
    if angles:
        state = lex(situation.line_prefix, language=situation.language, angles=True).state
    ends = lex(text, state=state, language=situation.language, angles=angles).closers
    return [(state.quote if state.quote and n == 0 else text[end - 1], end) for n, end in enumerate(ends)]
