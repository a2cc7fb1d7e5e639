"""Where comments begin and end, in a suggestion and in the lines around the cursor."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from copilot_server.completion.scope.scope import Situation
from copilot_server.context.source.lexer import LexState, comment_sign, lex

_LINE_COMMENTS = {
    # After a colon, two slashes belong to a URL.
    "//": r"(?<!:)//[^\r\n]*",
    # In these languages a sign inside a word begins no comment; `#!` and `#[` mean something else.
    "#": r"(?<!\S)#(?![\[!])[^\r\n]*",
    "--": r"--[^\r\n]*",
}
_C_COMMENT = r"/\*.*?(?:\*/|\Z)"
_C_COMMENTS = frozenset({"css", "sql"})  # besides the languages whose other comments begin with `//`
_MARKUP_COMMENT = r"<!--.*?(?:-->|\Z)"
_MARKUP = frozenset({"html", "xml", "xsl", "vue", "svelte", "astro", "handlebars", "razor", "erb", "php"})
#: The signs of more than one character.
_SIGNS = ("//", "--", "/*", "<!--")
_LONGEST_SIGN = max(map(len, _SIGNS))
#: What opens a comment of several lines, and what closes it.
_OPEN, _CLOSE = re.compile(r"/\*|<!--"), re.compile(r"\*/|-->")
#: How far above the cursor such a comment is looked for, in code points.
_LOOKED_AT = 8_000

_LINE_START = re.compile(r"(?s:.*)[\r\n]")
_REST_OF_LINE = re.compile(r"[^\r\n]*")


@dataclass(frozen=True, slots=True)
class Comment:
    """A comment from ``start`` to ``end`` of a text.

    ``before`` is its line up to the comment, ``after`` the rest of the line behind it; ``line_start`` is
    where that line starts in the text, 0 for the cursor's line.
    """

    start: int
    end: int
    before: str
    after: str
    line_start: int

    @property
    def is_alone(self) -> bool:
        """Whether nothing but blanks precedes it on its line."""
        return not self.before.strip()


def comments_in(
    text: str, language: str, line_prefix: str = "", state: LexState | None = None
) -> Iterator[Comment]:
    """Yield the comments that begin in ``text``, which follows ``line_prefix`` on its line.

    ``state`` is what is open where the text begins. In a language whose comments are not known there is none.
    """
    pattern = _pattern(language)
    if pattern is None:
        return
    whole, begin = line_prefix + text, len(line_prefix)
    at = _end_of_begun(whole, begin, pattern)
    while found := pattern.search(whole, at):
        start = found.start() - begin
        open_there = lex(text[:start], state=state, language=language).state
        if open_there.quote or open_there.in_comment:
            at = found.start() + 1
            continue
        yield _comment(text, start, found.end() - begin, line_prefix)
        at = max(found.end(), found.start() + 1)


def _end_of_begun(text: str, offset: int, pattern: re.Pattern[str]) -> int:
    """Return where the comment ends whose sign is only half there before ``offset``; else ``offset``."""
    for start in range(max(0, offset - _LONGEST_SIGN + 1), offset):
        found = pattern.match(text, start)
        if found and any(text.startswith(sign, start) and start + len(sign) > offset for sign in _SIGNS):
            return found.end()
    return offset


def is_in_comment(situation: Situation) -> bool:
    """Whether the cursor is in a comment, of one line or of several."""
    if situation.state.in_comment:
        return True
    if _pattern(situation.language) is None or situation.language == "python":
        return False
    above = situation.cursor.prefix[-_LOOKED_AT:]
    closed = max((found.end() for found in _CLOSE.finditer(above)), default=0)
    return any(_is_code(above, found.start(), situation.language) for found in _OPEN.finditer(above, closed))


def _is_code(text: str, offset: int, language: str) -> bool:
    """Whether an offset is outside of strings and comments, as far as its line shows."""
    found = _LINE_START.match(text, 0, offset)
    state = lex(text, found.end() if found else 0, offset, language=language).state
    return not state.quote and not state.in_comment


def _comment(text: str, start: int, end: int, line_prefix: str) -> Comment:
    found = _LINE_START.match(text, 0, start)
    line_start = found.end() if found else 0
    before = text[line_start:start] if found else line_prefix + text[:start]
    rest = _REST_OF_LINE.match(text, end)
    return Comment(start, end, before, rest[0] if rest else "", line_start)


@lru_cache(maxsize=128)
def _pattern(language: str) -> re.Pattern[str] | None:
    """Return a pattern for the comments of a language, which also matches in strings."""
    sign = comment_sign(language)
    kinds = []
    if sign:
        kinds.append(r"#[^\r\n]*" if language == "python" else _LINE_COMMENTS[sign])
    if sign == "//" or language in _C_COMMENTS:
        kinds.append(_C_COMMENT)
    if language in _MARKUP:
        kinds.append(_MARKUP_COMMENT)
    return re.compile("|".join(kinds), re.DOTALL) if kinds else None
