"""The line that results when a suggestion is accepted, compared with the line of the file."""

from __future__ import annotations

import re

_WORD = re.compile(r"\s*(?:\w+|[^\w\s]+)")
_IN_WORD = re.compile(r"\w")


def resulting_rest(text: str, replaced: int, line_suffix: str) -> str:
    """Return the rest of the cursor's line after accepting, without blanks at its end.

    ``text`` is inserted at the cursor in place of the first ``replaced`` code points of ``line_suffix``. What
    is left of that follows the last line of ``text``.
    """
    first, line_feed, _ = text.partition("\n")
    return (first if line_feed else first + line_suffix[replaced:]).rstrip()


def next_word(text: str, rest: str) -> str:
    """Return the first word of a suggestion, with the blanks before it, if ``rest`` begins with it too.

    That is how far editors accept a suggestion word by word. It is empty if ``rest`` differs or goes on with
    the same word.
    """
    found = _WORD.match(text.partition("\n")[0])
    word = found[0] if found else ""
    if not word or not rest.startswith(word):
        return ""
    splits = bool(_IN_WORD.match(word[-1])) and bool(_IN_WORD.match(rest[len(word) : len(word) + 1]))
    return "" if splits else word
