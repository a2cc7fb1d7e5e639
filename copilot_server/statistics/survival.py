"""Whether a suggestion that was accepted is still there."""

from __future__ import annotations

import re

#: How far from where it should be the text is looked for, in code points.
MARGIN = 50
#: So much of a long suggestion stands for all of it: it takes a millisecond to look for.
MOST_LOOKED_FOR = 4000
#: The part of its lexemes that may have changed.
MOST_CHANGED = 0.5

_LEXEME = re.compile(r"\w+|[^\w\s]")


def still_there(document: str, offset: int, text: str) -> bool:
    """Whether ``text``, which was put in at what is now ``offset``, is still there, perhaps edited.

    It is if its lexemes can be aligned with those within 50 code points of the place at a cost of at most
    half their number. That is GitHub Copilot's ``stillInCode`` (microsoft/vscode-copilot-chat,
    ``completions-core/.../postInsertion.ts`` and ``suggestions/editDistance.ts``); here blanks are no
    lexemes, so that indenting it anew changes nothing.
    """
    text = text[:MOST_LOOKED_FOR]
    needle = _LEXEME.findall(text)
    begin, end = max(0, offset - MARGIN), offset + len(text) + MARGIN
    haystack = _LEXEME.findall(document[begin:end])
    return not needle or infix_distance(needle, haystack) <= MOST_CHANGED * len(needle)


def infix_distance(needle: list[str], haystack: list[str]) -> int:
    """Return the least edit distance between ``needle`` and any run of ``haystack``, the empty one too.

    As Copilot has it, the needle's first lexeme may be the end of one in the haystack, and its last the
    beginning of one: what was accepted may have completed a word.

    Myers' bit-parallel algorithm (G. Myers 1999, "A fast bit-vector algorithm for approximate string
    matching", JACM 46(3)), with Hyyrö's names: bit i of a vector is for the needle's first i + 1 lexemes.
    """
    size = len(needle)
    if not size:
        return 0
    full, last = (1 << size) - 1, 1 << (size - 1)
    positions: dict[str, int] = {}
    for index, lexeme in enumerate(needle):
        positions[lexeme] = positions.get(lexeme, 0) | 1 << index
    rising, falling, distance = full, 0, size
    least = distance
    for lexeme in haystack:
        equal = positions.get(lexeme, 0)
        equal |= lexeme.endswith(needle[0]) | lexeme.startswith(needle[-1]) << (size - 1)
        diagonal = ((((equal & rising) + rising) ^ rising) | equal | falling) & full
        up, down = falling | ~(diagonal | rising) & full, rising & diagonal
        distance += bool(up & last) - bool(down & last)
        # No cost for where the run begins: the top row is all zeros, so no bit is shifted in.
        up, down = up << 1 & full, down << 1 & full
        rising, falling = down | ~(diagonal | up) & full, up & diagonal
        least = min(least, distance)
    return least
