"""The grammars of tree-sitter, and what a parse and a query may cost."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache

from tree_sitter import Language, Node, Parser, Query, QueryCursor

from copilot_server.workspace.tags import queries

#: The work of a parse, in hundreds of the parser's steps: at least so much, and so much for a byte. Sources
#: that compile need a hundred steps for 65 bytes; broken ones may need any number.
MIN_STEPS, STEPS_PER_BYTE = 1_000, 0.05
#: How much a parser reads at once, in bytes, and how often: at least so often, and so often for a byte. Those
#: that compile are read once or twice; the lexer may read broken ones from any place to their end.
READ_BYTES, MIN_READS, READS_PER_BYTE = 1_024, 2_000, 0.02
#: Deeper nodes are in the bodies of functions, or in nothing that anybody wrote.
MAX_DEPTH = 14
#: How many matches of a query may be in progress.
MAX_IN_PROGRESS = 512

#: A capture of a query: its name, and the node.
Captures = Mapping[str, list[Node]]


@dataclass(frozen=True, slots=True)
class Grammar:
    """A grammar: the package that brings it, the function there, and its tags query."""

    package: str
    function: str
    query: str


JAVASCRIPT = Grammar("tree_sitter_javascript", "language", queries.JAVASCRIPT)
TYPESCRIPT = Grammar("tree_sitter_typescript", "language_typescript", queries.TYPESCRIPT)
TSX = Grammar("tree_sitter_typescript", "language_tsx", queries.TYPESCRIPT)
GO = Grammar("tree_sitter_go", "language", queries.GO)
RUST = Grammar("tree_sitter_rust", "language", queries.RUST)
JAVA = Grammar("tree_sitter_java", "language", queries.JAVA)
C = Grammar("tree_sitter_c", "language", queries.C)
CPP = Grammar("tree_sitter_cpp", "language", queries.CPP)


@cache
def _language(grammar: Grammar) -> Language:
    # A grammar takes megabytes, and few workspaces have files of every language.
    return Language(getattr(importlib.import_module(grammar.package), grammar.function)())


@cache
def _query(grammar: Grammar) -> Query:
    return Query(_language(grammar), grammar.query)


class _Work:
    """Reads a source for a parser, and counts what the parser does with it."""

    def __init__(self, source: bytes) -> None:
        self._source = source
        self._steps = MIN_STEPS + int(len(source) * STEPS_PER_BYTE)
        self._reads = MIN_READS + int(len(source) * READS_PER_BYTE)

    def read(self, offset: int, _point: object) -> bytes:
        self._reads -= 1
        return self._source[offset : offset + READ_BYTES] if self._reads >= 0 else b""

    def is_too_much(self, _offset: int = 0, _has_error: bool = False) -> bool:  # noqa: FBT001, FBT002
        """Count a hundred steps; return whether the work ends here."""
        self._steps -= 1
        return self._steps < 0 or self._reads < 0


def parse(source: bytes, grammar: Grammar) -> Node | None:
    """Parse a source, broken or not; None if it takes more work than its length allows."""
    work = _Work(source)
    try:
        root = Parser(_language(grammar)).parse(work.read, progress_callback=work.is_too_much).root_node
    except ValueError:
        return None
    return None if work.is_too_much() else root


def tags(root: Node, grammar: Grammar) -> Iterator[Captures]:
    """Yield the matches of the grammar's tags query."""
    cursor = QueryCursor(_query(grammar), match_limit=MAX_IN_PROGRESS)
    cursor.set_max_start_depth(MAX_DEPTH)
    return (captures for _, captures in cursor.matches(root))
