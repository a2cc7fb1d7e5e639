"""How much is suggested."""

from __future__ import annotations

import pytest

from copilot_server.completion.scope.scope import situation_at
from tests.support.cursor_text import cursor_in

DOC = '"""Do."""'

FUNCTION = [
    "def f(x):\n    ‸",
    "def f(x):\n‸",
    "def f(x):‸",
    "def f(x):‸\n",
    f"def f(x):\n    {DOC}\n‸",
    f"def f(x):\n    {DOC}\n    ‸",
    f"def f(x):\n    {DOC}\n    # Note.\n    ‸",
    f"def f(x):\n    {DOC}\n    import os\n    ‸",
    f"def f(x):\n    {DOC}\n    ‸\n\n\ndef g():\n    return 1\n",
    f"def f(x):\n    {DOC}\n‸\n\nif __name__ == '__main__':\n    f(1)\n",
    f"class A:\n    def f(self):\n        {DOC}\n        ‸\n\n    def g(self):\n        return 1\n",
    "async def f(\n    x: int,\n) -> int:\n    ‸",
    "def f(x):\r\n\t‸\r\n",
]
BLOCK = [
    "‸",
    "import os\n\n‸",
    "def f(x):\n    return 1\n\n\n‸",
    "def f(x):\n    y = 1\n    ‸",
    "def f(x):\n    y = 1\n    ‸\n    return y\n",
    "def f(x):\n    for y in x:‸",
    "def f(x):\n    for y in x:\n        ‸",
    "def f(x):\n    if (x and\n            y):‸\n",
    f"def f(x):\n    {DOC}\n    ‸\n    return y\n",
    "class A:\n    ‸",
    "class A:‸",
    "class A:\n    def f(self):\n        return 1\n\n    ‸",
]
LINE = [
    "x = ‸",
    "def f(‸):",
    "def f(x‸",
    "def ‸",
    "x = foo(‸)",
    "x = [\n    ‸\n]",
    "print('‸",
    "# Sort ‸",
    "def f(x):\n    return‸",
    "def f(x): ‸# note",
    f"def f(x):\n    {DOC}‸",
    'def f(x):\n    """Do ‸',
    'def f(x):\n    """Do.\n\n    ‸\n    """\n',
    "x = {'a':‸",
    "f = lambda x:‸",
    "x = y[1:‸",
]
GAP = [
    "def f(x):\n    ‸return x",
    "def f(x):\n‸    return x",
    "‸import os\n",
    "x = [\n‸    1,\n]",
    "def f(x):\n    ‸# note",
]


@pytest.mark.parametrize(
    ("drawn", "scope"),
    [
        (drawn, scope)
        for scope, positions in (("function", FUNCTION), ("block", BLOCK), ("line", LINE), ("gap", GAP))
        for drawn in positions
    ],
)
def test_scope_of_python(drawn: str, scope: str):
    assert situation_at(cursor_in(drawn)).scope == scope


@pytest.mark.parametrize(
    ("drawn", "scope"),
    [
        ("function f() {\n    ‸\n}", "block"),
        ("function f() {‸}", "line"),
        ("function f() {‸", "line"),
        ("‸", "block"),
        ("let x = ‸", "line"),
        ("    ‸foo()", "gap"),
    ],
)
def test_scope_of_another_language(drawn: str, scope: str):
    assert situation_at(cursor_in(drawn, "javascript")).scope == scope
