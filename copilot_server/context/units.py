"""Lengths of texts in the units of an encoding, as editors count them.

Python counts code points. The language server protocol counts UTF-8, UTF-16 or UTF-32 units, as client and
server negotiate. A lone surrogate, which JSON can carry, counts as one code point.
"""

from __future__ import annotations

#: For each encoding of LSP, Python's codec and the number of bytes in a unit.
_CODECS = {"utf-8": ("utf-8", 1), "utf-16": ("utf-16-le", 2), "utf-32": ("utf-32-le", 4)}


def units_of(text: str, encoding: str = "utf-16") -> int:
    """Return the length of ``text`` in units of ``encoding``."""
    if text.isascii():
        return len(text)
    codec, unit_bytes = _CODECS[encoding]
    return len(text.encode(codec, "surrogatepass")) // unit_bytes


def code_points_in(text: str, units: int, encoding: str = "utf-16") -> int:
    """Return how many code points lie entirely within the first ``units`` units of ``text``."""
    head = text[: max(0, units)]  # a code point takes at least one unit
    if head.isascii():
        return len(head)
    codec, unit_bytes = _CODECS[encoding]
    try:
        encoded = head.encode(codec)
    except UnicodeEncodeError:
        return _code_points_one_by_one(head, units, encoding)
    return len(encoded[: units * unit_bytes].decode(codec, errors="ignore"))


def _code_points_one_by_one(text: str, units: int, encoding: str) -> int:
    """Count the code points of a text with lone surrogates, which a decoder would join or drop at a cut."""
    taken = 0
    for count, character in enumerate(text):
        taken += units_of(character, encoding)
        if taken > units:
            return count
    return len(text)
