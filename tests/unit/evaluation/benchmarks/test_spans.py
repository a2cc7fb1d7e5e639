"""The positions of syntax tree nodes in their source text."""

from __future__ import annotations

import ast

from copilot_server.evaluation.benchmarks.spans import span

TEXT = """é = "–"
def f(a,
      b):
    return ("naïve"
            + a)
"""


def test_every_node_is_found_in_the_text():
    nodes = [one for one in ast.walk(ast.parse(TEXT)) if isinstance(one, ast.expr | ast.stmt)]
    assert len(nodes) > 5
    for node in nodes:
        start, end = span(TEXT, node)
        assert TEXT[start:end] == ast.get_source_segment(TEXT, node)
