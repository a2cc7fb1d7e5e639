"""The indentation of lines: the blanks that a line starts with, and the column that they reach."""

from __future__ import annotations

import re
from collections import Counter
from functools import lru_cache
from itertools import islice

DEFAULT_INDENT = "    "
#: How many code points at the start of a text are read first to find its indentation.
_SAMPLE = 8192

#: The blanks of an indentation, which may include form feeds (Python language reference, section 2.1.8).
_BLANKS = re.compile(r"[ \t\f]*")
_TAB_FIRST = re.compile(r"^\t", re.MULTILINE)
_OPENED = re.compile(
    r"^(?P<outer>[ \t]*)\S[^\n]*[:{][ \t]*(?:#[^\n]*)?\r?\n(?:[ \t]*\r?\n)*(?P=outer)(?P<unit>[ \t]+)(?=\S)",
    re.MULTILINE,
)


def indent_of(text: str, start: int = 0) -> str:
    """Return the blanks with which the line that starts at ``start`` of ``text`` begins."""
    found = _BLANKS.match(text, start)
    return found[0] if found else ""


def column(indent: str, tab_width: int = 8) -> int:
    """Return the column that ``indent`` reaches; a tab advances to the next multiple of ``tab_width``.

    A form feed resets the column to 0 (Python language reference, section 2.1.8).
    """
    return len(indent.rpartition("\f")[2].expandtabs(tab_width))


def column_of(line: str, tab_width: int = 8) -> int:
    """Return the column at which the text of ``line`` begins."""
    return column(indent_of(line), tab_width)


def indent_unit(text: str) -> str:
    """Return the string by which ``text`` indents a nested line: a tab, or some spaces.

    If possible only the beginning of a long text is read, so that the result stays cached while the user
    types further below.
    """
    read = _SAMPLE
    while not (unit := _unit_in(text[:read])) and read < len(text):
        read *= 4
    if not unit and _TAB_FIRST.search(text):
        return "\t"
    return "\t" if "\t" in unit else unit or DEFAULT_INDENT


@lru_cache(maxsize=32)
def _unit_in(text: str) -> str:
    """Return the most frequent indentation of blocks in ``text``; "" if there are no blocks."""
    units = Counter(found["unit"] for found in islice(_OPENED.finditer(text), 40))
    return units.most_common(1)[0][0] if units else ""
