"""The closers that an editor has put after the cursor when a line has been typed up to it."""

from __future__ import annotations

from copilot_server.context.brackets import PAIRS
from copilot_server.context.source.lexer import LexState, lex


def state_before_line(prefix: str, language: str) -> LexState:
    """Return what is open where the last line of ``prefix`` starts."""
    return lex(prefix[: prefix.rfind("\n") + 1], language=language).state


def kept_closers(begun: str, rest: str, state: LexState, language: str) -> str:
    """Return the closers that follow the cursor between ``begun`` and ``rest``, two parts of one line.

    They close brackets and a short string that ``begun`` opens and ``rest`` closes, innermost first.
    ``state`` is what is open where the line starts.
    """
    before = lex(begun, state=state, language=language)
    quote = before.state.quote
    own_quote = quote if len(quote) == 1 and not state.quote else ""
    if quote and not own_quote:
        return ""
    brackets = before.state.brackets[len(before.state.brackets) - before.own_brackets :]
    closers = own_quote + "".join(PAIRS[bracket] for bracket in reversed(brackets))
    closed = lex(rest, state=before.state, language=language).closers
    return closers[: len(closed)]


def only_closers_left(rest: str, kept: str) -> bool:
    """Whether nothing of ``rest`` is left to write, since its closers stand there already."""
    return rest.rstrip() == kept
