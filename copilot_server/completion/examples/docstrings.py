"""The texts of docstrings."""

from __future__ import annotations

import ast
import re
import warnings
from dataclasses import dataclass

_QUOTES = re.compile(r"(?P<prefix>[rRuU]?)(?P<quote>\"\"\"|'''|\"|')(?P<body>.*)(?P=quote)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Docstring:
    """A docstring: its line, and its texts, the likelier one first.

    The second is the text as written, where that differs: many docstrings have escapes that ought to be
    doubled, such as a line feed in the argument of an example.
    """

    line: int
    texts: tuple[str, ...]


def docstring_of(literal: str, line: int) -> Docstring | None:
    """Return the docstring that a literal in the source is; None if it is none or is not closed."""
    found = _QUOTES.fullmatch(literal.strip())
    if found is None:
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # such as an unknown escape
        try:
            value = ast.literal_eval(found[0])
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return None
    if not isinstance(value, str):
        return None
    return Docstring(line, tuple(dict.fromkeys([value, found["body"]])))
