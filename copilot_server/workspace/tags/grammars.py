"""The grammars of tree-sitter, and what a query may cost."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache

from tree_sitter import Language, Node, Query, QueryCursor

from copilot_server.context.source import parsing
from copilot_server.workspace.tags import queries

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


def parse(source: bytes, grammar: Grammar) -> Node | None:
    """Parse a source, broken or not; None if it takes more work than its length allows."""
    return parsing.parse(source, _language(grammar))


def tags(root: Node, grammar: Grammar) -> Iterator[Captures]:
    """Yield the matches of the grammar's tags query."""
    cursor = QueryCursor(_query(grammar), match_limit=MAX_IN_PROGRESS)
    cursor.set_max_start_depth(MAX_DEPTH)
    return (captures for _, captures in cursor.matches(root))
