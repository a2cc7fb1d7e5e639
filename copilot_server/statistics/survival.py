"""Whether a suggestion that was accepted is still in its document."""

from __future__ import annotations

import re

#: How far from its expected offset the text is searched for, in code points.
MARGIN = 50
#: Of a longer suggestion only this many code points are searched for, which takes a millisecond.
MOST_SEARCHED_FOR = 4000
#: The share of its lexemes that may have changed.
MOST_CHANGED = 0.5

_LEXEME = re.compile(r"\w+|[^\w\s]")


def still_there(document: str, offset: int, text: str) -> bool:
    """Whether ``text``, which was inserted at what is now ``offset``, is still there, perhaps edited.

    It is if its lexemes can be aligned with those within 50 code points of ``offset`` at a cost of at most
    half their number. This is GitHub Copilot's ``stillInCode`` (microsoft/vscode-copilot-chat,
    ``completions-core/.../postInsertion.ts`` and ``suggestions/editDistance.ts``), except that blanks are not
    lexemes here, so that reindenting the text changes nothing.
    """
    text = text[:MOST_SEARCHED_FOR]
    needle = _LEXEME.findall(text)
    begin, end = max(0, offset - MARGIN), offset + len(text) + MARGIN
    haystack = _LEXEME.findall(document[begin:end])
    return not needle or infix_distance(needle, haystack) <= MOST_CHANGED * len(needle)


def infix_distance(needle: list[str], haystack: list[str]) -> int:
    """Return the least edit distance between ``needle`` and any run of ``haystack``, even an empty one.

    As in Copilot, the needle's first lexeme may match the end of one in the haystack, and its last one the
    beginning: the accepted text may have completed a word.

    This is Myers' bit-parallel algorithm (G. Myers 1999, "A fast bit-vector algorithm for approximate string
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
        # A run may begin anywhere at no cost: the top row is all zeros, so no bit is shifted in.
        up, down = up << 1 & full, down << 1 & full
        rising, falling = down | ~(diagonal | up) & full, up & diagonal
        least = min(least, distance)
    return least
