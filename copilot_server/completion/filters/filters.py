"""What becomes of a model's text before it is shown: an ordered list of small pure filters.

Each takes a draft and the situation and gives the draft back, shortened or mended, or None where nothing
worth showing remains. ``FILTERS`` has them in order, with the reason for it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace

from copilot_server.completion.scope.ending import scope_end
from copilot_server.completion.scope.gap import gap_end
from copilot_server.completion.scope.scope import Situation
from copilot_server.context.source.code import line_end, plain_line_ends
from copilot_server.context.source.lexer import lex
from copilot_server.engine.base import FinishReason

_FENCE = re.compile(r"[ \t]*```")
_CLOSERS = re.compile(r"[\s)\]}\"'`:;,]*")
_WORD = re.compile(r"\w")
_SPACES = re.compile(r"[ \t]*")
_LONGEST_LOOP = 8  # lines
_LOOKED_AT = 4_000  # code points of the document on either side of the cursor
_COMPARED_LINES = 3  # equal lines that are taken for a repeat of what follows


@dataclass(frozen=True, slots=True)
class Draft:
    """A suggestion on its way: ``text`` goes in at the cursor, over the ``replaced`` code points after it."""

    text: str
    replaced: int = 0
    finish_reason: FinishReason = "stop"


Filter = Callable[[Draft, Situation], Draft | None]


def apply_filters(text: str, situation: Situation, finish_reason: FinishReason) -> Draft | None:
    """Pass ``text`` through all filters; None if nothing is left to show."""
    draft: Draft | None = Draft(text, 0, finish_reason)
    for apply in FILTERS:
        if draft is None:
            return None
        draft = apply(draft, situation)
    return draft


def unify_line_ends(draft: Draft, situation: Situation) -> Draft | None:  # noqa: ARG001
    """Make every line end a line feed, so that the other filters know only that."""
    return replace(draft, text=_with_line_feeds(draft.text))


def cut_markdown_fences(draft: Draft, situation: Situation) -> Draft | None:
    """Take the code out of a markdown fence: chat models fence their code, and explain it after the fence."""
    if situation.state.quote or situation.language == "markdown":
        return draft
    text = draft.text
    fences = [start for start in _line_starts(text, situation) if _FENCE.match(text, start)]
    if fences and not text[: fences[0]].strip():
        text = text[fences[0] :].partition("\n")[2]
        fences = [start for start in _line_starts(text, situation) if _FENCE.match(text, start)]
    return replace(draft, text=text[: fences[0]] if fences else text)


def match_indentation(draft: Draft, situation: Situation) -> Draft | None:
    """Indent as the document does, where one of the two uses tabs. Lines inside strings stay as they are."""
    to_tabs = situation.indent_unit == "\t"
    if not to_tabs and (situation.context is None or "\t" not in draft.text):
        return draft
    starts = _line_starts(draft.text, situation)
    written = "  " if "  " in {_indent(draft.text, start) for start in starts} else "    "
    unit = (written, "\t") if to_tabs else ("\t", situation.indent_unit)
    text = draft.text
    for start in reversed(starts):
        indent = _indent(text, start)
        text = text[:start] + indent.replace(*unit) + text[start + len(indent) :]
    return replace(draft, text=text)


def cut_at_scope_end(draft: Draft, situation: Situation) -> Draft | None:
    """Leave off what the model began outside of the function, block or line that was wanted."""
    end = scope_end(draft.text, situation)
    return draft if end is None else replace(draft, text=draft.text[:end], finish_reason="stop")


def fit_gap(draft: Draft, situation: Situation) -> Draft | None:
    """Leave off what would leave the line after a gap where it cannot stand."""
    if situation.scope != "gap":
        return draft
    end = gap_end(draft.text, situation, is_whole=draft.finish_reason == "eos")
    return None if end is None else replace(draft, text=draft.text[:end])


def drop_unfinished_line(draft: Draft, situation: Situation) -> Draft | None:
    """Leave off the last line of several where the token limit broke it off."""
    if draft.finish_reason != "length":
        return draft
    lines = lex(draft.text, state=situation.state, language=situation.language).lines
    kept = draft.text[: lines[-1] if lines else 0]
    return replace(draft, text=kept) if kept.strip() else draft


def cut_repetition(draft: Draft, situation: Situation) -> Draft | None:  # noqa: ARG001
    """Keep one round of a loop: lines that the text ends in repeating, a few tokens from for ever.

    Three rounds make a loop; two do, of three lines or more, if only the token limit ended it. What goes on
    after the repeats is not a loop: a table may well have equal rows.
    """
    endless = draft.finish_reason == "length"
    lines = draft.text.rstrip().split("\n")
    for length in range(1, min(_LONGEST_LOOP, len(lines) // 2) + 1):
        for rest in reversed(range(length)):  # the longest begun round leaves the earliest whole one first
            rounds = _rounds(lines[: len(lines) - rest], length, lines[len(lines) - rest :])
            if rounds >= (2 if endless and length > 2 else 3):
                kept = lines[: len(lines) - rest - (rounds - 1) * length]
                return replace(draft, text="\n".join(kept))
    return draft


def _rounds(lines: list[str], length: int, begun: list[str]) -> int:
    """Count how often ``lines`` ends in the same ``length`` lines, the next round being ``begun``."""
    loop = lines[-length:]
    if loop[: len(begun)] != begun or not _WORD.search("".join(loop)):
        return 0
    rounds = 1
    while lines[-(rounds + 1) * length : -rounds * length] == loop:
        rounds += 1
    return rounds


def drop_repeated_context(draft: Draft, situation: Situation) -> Draft | None:
    """Drop a suggestion that only says again what stands right above. In brackets equal rows are usual."""
    lines = _visible_lines(situation.line_prefix + draft.text)
    before = situation.cursor.prefix[: situation.cursor.offset - len(situation.line_prefix)]
    above = _visible_lines(before[-_LOOKED_AT:])
    repeated = lines == above[-len(lines) :] and _WORD.search(draft.text)
    return None if repeated and not situation.state.brackets else draft


def cut_repeated_suffix(draft: Draft, situation: Situation) -> Draft | None:
    """Cut where the model goes on to write the lines that follow the cursor already."""
    in_gap = situation.scope == "gap"
    after = situation.cursor.suffix[0 if in_gap else len(situation.line_suffix) :]
    following = _visible_lines((situation.line_prefix if in_gap else "") + after[:_LOOKED_AT])
    alone = in_gap or (not situation.state.brackets and not situation.line_suffix.strip())
    lexed = lex(draft.text, state=situation.state, language=situation.language)
    for start in (0, *lexed.breaks) if alone else lexed.breaks:
        if _repeats(draft.text, start, following, situation):
            return replace(draft, text=draft.text[:start])
    return draft


def _repeats(text: str, start: int, following: list[str], situation: Situation) -> bool:
    """Whether the lines of ``text`` from ``start`` on are those that follow, to the end of either."""
    lines = _visible_lines((situation.line_prefix if start == 0 else "") + text[start:])
    compared = min(len(lines), len(following), _COMPARED_LINES)
    if not compared or lines[:compared] != following[:compared] or not text[start:].split("\n", 1)[0].strip():
        return False
    closes_own_bracket = (
        lex(text[:start], state=situation.state, language=situation.language).own_brackets > 0
    )
    return not closes_own_bracket


def replace_line_suffix(draft: Draft, situation: Situation) -> Draft | None:
    """Put the suggestion over what it repeats of the rest of the line, mostly closers the editor put there.

    A closer counts as repeated only if it closes something opened before the cursor: in ``bar(‸)``,
    ``foo(x)`` ends in a closer of its own.
    """
    suffix = situation.line_suffix.rstrip()
    if not suffix or situation.scope == "gap":
        return draft
    replaced = _repeated_tail(draft.text, suffix, situation) or _repeated_closers(
        draft.text, suffix, situation
    )
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


def _repeated_closers(text: str, suffix: str, situation: Situation) -> int:
    """Return how much of the closers that ``suffix`` begins with ``text`` writes itself."""
    found = _CLOSERS.match(suffix)
    closers = found[0].rstrip() if found else ""
    closed = _closed(text, situation)
    replaced = written = 0
    for closer, end in closed:
        at = replaced + len(closers[replaced:]) - len(closers[replaced:].lstrip())
        if not closers.startswith(closer, at):
            break
        replaced, written = at + len(closer), end
    rest = closers[replaced:]
    return len(closers) if rest and replaced and text[written:].startswith(rest) else replaced


def _closed(text: str, situation: Situation) -> list[tuple[str, int]]:
    """Return the closers in ``text`` of what is open at the cursor, each with where it ends."""
    ends = lex(text, state=situation.state, language=situation.language).closers
    quote = situation.state.quote
    return [(quote if quote and n == 0 else text[end - 1], end) for n, end in enumerate(ends)]


def strip_blank_end(draft: Draft, situation: Situation) -> Draft | None:  # noqa: ARG001
    """Take blanks off the end; a suggestion with nothing visible is none."""
    text = draft.text.rstrip()
    return replace(draft, text=text) if text else None


def end_line_of_gap(draft: Draft, situation: Situation) -> Draft | None:
    """Where a line follows that is whole already, end the last line and leave that one where it stood."""
    if situation.scope != "gap":
        return draft
    return replace(draft, text=f"{draft.text}\n{situation.line_prefix}")


def match_line_ends(draft: Draft, situation: Situation) -> Draft | None:
    """End lines as the document does."""
    return replace(draft, text=draft.text.replace("\n", line_end(situation.cursor.document.text)))


FILTERS: tuple[Filter, ...] = (
    unify_line_ends,  # the others split at line feeds
    cut_markdown_fences,  # a fence would else be the line that ends the scope
    match_indentation,  # what is compared with the document must be indented as it is
    fit_gap,  # while what the model wrote after a gap still tells whether it saw the gap's end
    cut_at_scope_end,  # what lies outside the scope is nobody's concern below
    drop_unfinished_line,  # half a line equals nothing
    cut_repetition,
    drop_repeated_context,
    cut_repeated_suffix,
    replace_line_suffix,  # once the end of the text is known
    strip_blank_end,  # what the cuts left
    end_line_of_gap,
    match_line_ends,
)


def _with_line_feeds(text: str) -> str:
    return plain_line_ends(text).replace("\r\n", "\n")


def _line_starts(text: str, situation: Situation) -> list[int]:
    """Return where lines of the document start in ``text``, those inside strings left out."""
    lexed = lex(text, state=situation.state, language=situation.language)
    begins_line = not situation.line_prefix.strip() and not situation.state.quote
    return ([0] if begins_line else []) + list(lexed.breaks)


def _indent(text: str, start: int) -> str:
    found = _SPACES.match(text, start)
    return found[0] if found else ""


def _visible_lines(text: str) -> list[str]:
    """Return the lines that have something on them, blanks at their ends left out."""
    stripped = (line.rstrip() for line in _with_line_feeds(text).split("\n"))
    return [line for line in stripped if line]
