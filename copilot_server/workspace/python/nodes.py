"""Text of tree-sitter's nodes, as one line of limited length. The source may be broken: nothing raises."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

import tree_sitter_python
from tree_sitter import Language, Node

from copilot_server.context.source import parsing

_PYTHON = Language(tree_sitter_python.language())
#: How many times the usual steps a byte may take: lines of one letter take most, 1.2 times as many.
_FACTOR = 2
_STRINGS_AND_COMMENTS = re.compile(
    r"""(?P<string>\"{3}(?s:.)*?\"{3}|'{3}(?s:.)*?'{3}|"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')|\#[^\n]*"""
)
_AFTER_OPENING = re.compile(r"(?<=[(\[{]) ")
_BEFORE_CLOSING = re.compile(r",? (?=[)\]}])")
#: Statements whose blocks belong to the same scope.
_NESTED = frozenset(
    {
        *("if_statement", "elif_clause", "else_clause", "try_statement", "except_clause", "finally_clause"),
        *("except_group_clause", "with_statement", "for_statement", "while_statement", "block", "ERROR"),
        *("match_statement", "case_clause"),
    }
)
#: How deep statements in statements are read.
_MAX_DEPTH = 16


@lru_cache(maxsize=1)  # of each file the heads are read, and then the names
def parse(source: bytes) -> Node | None:
    """Parse Python, broken or not; return the root of its tree, or None if that takes too much work."""
    return parsing.parse(source, _PYTHON, _FACTOR)


def statements(block: Node, depth: int = 0) -> Iterator[Node]:
    """Yield the statements of a scope in order, also those in ``if``, ``try``, ``with`` and loops."""
    for child in block.named_children:
        if child.type not in _NESTED:
            yield child
        elif depth < _MAX_DEPTH:
            yield from statements(child, depth + 1)


def first_of(node: Node) -> Node | None:
    """Return the first named child of a node, without making the others; None if there is none."""
    return node.named_child(0) if node.named_child_count else None


def raw(node: Node | None) -> str:
    """Return the text of a node; "" for None."""
    return "" if node is None else (node.text or b"").decode("utf-8", "replace")


def one_line(node: Node | None) -> str:
    """Return the text of a node on one line, without comments."""
    text = raw(node)
    return joined(text) if "\n" in text or "#" in text else text


def joined(text: str) -> str:
    """Return code of several lines as one line, without its comments."""
    text = _STRINGS_AND_COMMENTS.sub(lambda found: found["string"] or "", text)
    text = " ".join(text.replace("\\\n", " ").split())
    return _BEFORE_CLOSING.sub("", _AFTER_OPENING.sub("", text))


def shortened(text: str, length: int) -> str:
    """Return ``text``, or an ellipsis if it is longer than ``length``."""
    return text if len(text) <= length else "..."


def dotted(node: Node | None) -> str:
    """Return a name such as ``a.b.c``; "" if the node is anything else, or no name at all."""
    text = raw(node)
    return text if node is not None and all(part.isidentifier() for part in text.split(".")) else ""
