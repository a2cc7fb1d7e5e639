"""The words of code that make two pieces of it alike."""

from __future__ import annotations

import re
from functools import lru_cache

#: Longer names are cut.
MAX_TERM = 40

_WORD = re.compile(r"\w\w+")
_PART = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[^\W\d_A-Za-z]+")
_SHORTEST_PART = 3


def terms_of(text: str) -> set[str]:
    """Return the names in a text, and the parts that they are composed of, in lower case.

    ``read_file`` and ``readFile`` give the same: ``readfile``, ``read`` and ``file``. Words of comments and
    strings count too: they say what code is about.
    """
    return set().union(*map(_terms_of_word, set(_WORD.findall(text))))


@lru_cache(maxsize=1 << 16)
def _terms_of_word(name: str) -> tuple[str, ...]:
    if name[0].isdecimal():  # a number
        return ()
    whole = name.replace("_", "").lower()[:MAX_TERM]
    parts = {part.lower() for part in _PART.findall(name) if len(part) >= _SHORTEST_PART}
    return tuple({whole, *parts} - {""})
