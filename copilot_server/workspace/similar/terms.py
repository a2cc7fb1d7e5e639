"""The words of code that make two pieces of it alike."""

from __future__ import annotations

import re
from functools import lru_cache

#: Longer names are cut.
MAX_TERM = 40

_NAME = re.compile(r"\b[^\W\d]\w+")
_PART = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[^\W\d_A-Za-z]+")
_SHORTEST_PART = 3


def terms_of(text: str) -> set[str]:
    """Return the names in a text, and the parts that they are composed of, in lower case.

    ``read_file`` and ``readFile`` give the same: ``readfile``, ``read`` and ``file``. Words of comments and
    strings count too: they say what code is about.
    """
    terms: set[str] = set()
    for name in set(_NAME.findall(text)):
        terms.update(_terms_of_name(name))
    return terms


@lru_cache(maxsize=1 << 16)
def _terms_of_name(name: str) -> tuple[str, ...]:
    whole = name.replace("_", "").lower()[:MAX_TERM]
    parts = {part.lower() for part in _PART.findall(name) if len(part) >= _SHORTEST_PART}
    return tuple({whole, *parts} - {""})
