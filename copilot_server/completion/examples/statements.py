"""The top-level statements of a document, each read by itself, so that a broken one hides no other."""

from __future__ import annotations

import ast
import builtins
import re
import symtable
import sys
import warnings
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache

from copilot_server.context.source.code import plain_line_ends
from copilot_server.context.source.strings import read_triple_quoted

BUILTINS = frozenset(dir(builtins))
#: Whether the document evaluates no annotations.
_LAZY = re.compile(r"^from __future__ import [^\n#]*\bannotations\b", re.MULTILINE)
_LINE = re.compile(r"^(?=[^\s#)\]}])", re.MULTILINE)
#: Lines that continue the statement above.
_CONTINUING = re.compile(r"(?:else|elif|except|finally|case)\b")
_DECORATED = re.compile(r"@")
_DEFINITION = re.compile(r"@|(?:async[ \t]+)?def\b|class\b")
_DEFINED = re.compile(r"^(?:(?:async[ \t]+)?def|class)[ \t]+(\w+)", re.MULTILINE)
_ASSIGNED = re.compile(r"^(\w+)[ \t]*(?::[^=\n]+)?=(?!=)", re.MULTILINE)


@dataclass(frozen=True)
class _Facts:
    """What is read from the text of a statement, when it is first asked for."""

    text: str
    is_lazy: bool

    @cached_property
    def tree(self) -> ast.stmt | None:
        """The statement parsed; None if it is broken."""
        body = parsed(self.text)
        return body[0] if body and len(body) == 1 else None

    @cached_property
    def names(self) -> frozenset[str]:
        """The names that it binds in the module, as far as its text shows if it is broken."""
        if _DEFINITION.match(self.text) and (found := _DEFINED.search(self.text)):
            return frozenset({found[1]})
        table = _table(self.text)
        if table is None:
            return frozenset(_ASSIGNED.findall(self.text))
        return frozenset(
            one.get_name() for one in table.get_symbols() if one.is_assigned() or one.is_imported()
        )

    @cached_property
    def needs(self) -> frozenset[str]:
        """The names of the module that it refers to, also when its functions run."""
        return needs(self.text, is_lazy=self.is_lazy)


#: While a document is edited, most of its statements stay as they are.
_facts = lru_cache(maxsize=1024)(_Facts)


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement that begins in the first column, with its decorators. ``start`` is its offset.

    ``is_lazy``: whether the document evaluates no annotations.
    """

    start: int
    text: str
    is_lazy: bool = False

    @property
    def tree(self) -> ast.stmt | None:
        """The statement parsed; None if it is broken."""
        return _facts(self.text, self.is_lazy).tree

    @property
    def names(self) -> frozenset[str]:
        """The names that it binds in the module, as far as its text shows if it is broken."""
        return _facts(self.text, self.is_lazy).names

    @property
    def needs(self) -> frozenset[str]:
        """The names of the module that it refers to, also when its functions run."""
        return _facts(self.text, self.is_lazy).needs


@lru_cache(maxsize=8)
def statements_of(text: str) -> tuple[Statement, ...]:
    """Split a document into its top-level statements, whatever its text is."""
    text = plain_line_ends(text)
    strings = read_triple_quoted(text, 0, len(text))
    starts: list[int] = []
    decorated = False
    for found in _LINE.finditer(text):
        at = found.start()
        before = bisect_right(strings.starts, at - 1) - 1
        if before >= 0 and at < strings.ends[before]:
            continue
        if not (decorated or (starts and _CONTINUING.match(text, at))):
            starts.append(at)
        decorated = bool(_DECORATED.match(text, at))
    is_lazy = bool(_LAZY.search(text))
    ends = [*starts[1:], len(text)]
    return tuple(Statement(start, text[start:end], is_lazy) for start, end in zip(starts, ends, strict=True))


def parsed(text: str) -> list[ast.stmt] | None:
    """Return the statements of a text; None if they do not parse."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # such as an unknown escape in a string
        try:
            return ast.parse(text).body
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return None


def needs(text: str, *, is_lazy: bool = False) -> frozenset[str]:
    """Return the global names that a text refers to and does not bind itself; none if it is broken."""
    table = _table(f"from __future__ import annotations\n{text}" if is_lazy else text)
    if table is None:
        return frozenset()
    bound = {one.get_name() for one in table.get_symbols() if one.is_assigned() or one.is_imported()}
    return frozenset(_referenced(table)) - bound


def global_names(text: str) -> frozenset[str]:
    """Return the global names that a text refers to, whether it binds them or not."""
    table = _table(text)
    return frozenset(_referenced(table)) if table else frozenset()


def bound_names(text: str) -> frozenset[str]:
    """Return the names that a text binds at its top level."""
    table = _table(text)
    symbols = table.get_symbols() if table else []
    return frozenset(one.get_name() for one in symbols if one.is_assigned() or one.is_imported())


def is_standard(module: str) -> bool:
    """Whether a module belongs to the standard library."""
    return module.partition(".")[0] in sys.stdlib_module_names


def _table(text: str) -> symtable.SymbolTable | None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return symtable.symtable(text, "<document>", "exec")
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return None


def _referenced(table: symtable.SymbolTable) -> Iterator[str]:
    for one in table.get_symbols():
        if one.is_referenced() and (table.get_type() == "module" or one.is_global()):
            yield one.get_name()
    for child in table.get_children():
        yield from _referenced(child)
