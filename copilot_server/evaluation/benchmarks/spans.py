"""The positions of syntax tree nodes in their source text."""

from __future__ import annotations

import ast


def span(text: str, node: ast.expr | ast.stmt) -> tuple[int, int]:
    """Return the start and the end of ``node`` in the ``text`` that it was parsed from, in code points."""
    return (
        _offset(text, node.lineno, node.col_offset),
        _offset(text, node.end_lineno or 0, node.end_col_offset or 0),
    )


def _offset(text: str, line: int, column_utf8: int) -> int:
    lines = text.split("\n")
    before = lines[line - 1].encode()[:column_utf8].decode()
    return sum(len(one) + 1 for one in lines[: line - 1]) + len(before)
