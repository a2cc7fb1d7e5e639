"""How much is suggested, and when decoding stops."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from copilot_server.completion.filters import Draft, cut_at_scope_end
from copilot_server.completion.scope import is_complete, scope_end, situation_at
from copilot_server.context.document import Cursor, Document
from tests.support.cursor_text import cursor_in
from tests.support.human_eval import PROBLEMS

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
    "def f(x):\n    ‸return x",
    "def f(x):\n    ‸x = 1",
    "def f(x):\n    return‸",
    "def f(x): ‸# note",
    f"def f(x):\n    {DOC}‸",
    'def f(x):\n    """Do ‸',
    'def f(x):\n    """Do.\n\n    ‸\n    """\n',
    "x = {'a':‸",
    "f = lambda x:‸",
    "x = y[1:‸",
]


@pytest.mark.parametrize(
    ("drawn", "scope"),
    [(d, "function") for d in FUNCTION] + [(d, "block") for d in BLOCK] + [(d, "line") for d in LINE],
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
        ("    ‸foo()", "line"),
    ],
)
def test_scope_of_another_language(drawn: str, scope: str):
    assert situation_at(cursor_in(drawn, "javascript")).scope == scope


# The suggestion and, after the mark, the first character that must stop decoding.
STOPS = [
    ("def f(x):\n    ‸", "return x\n\n\n‸d"),
    ("def f(x):\n‸", "    return x\n‸#"),
    ("def f(x):\n‸", "    return x\n‸p"),
    ("def f(x):\n‸", "    return x\n‸@"),
    ("def f(x):\n‸", "    return x\r\n‸i"),
    ("def f(x):\n‸", "‸r"),
    ("def f(x):‸", "\n    return x\n‸x"),
    ("def f(x):‸", " return x\n‸x"),
    ("def f(x):\n    ‸", "return [\n1,\n]\n‸x"),
    ("def f(x):\n    ‸", "return (\n    1\n‸def "),
    ("def f(x):\n    ‸", 'return """\nx\n"""\n‸x'),
    ("def f(x):\n    ‸", "return x  # (\n‸x"),
    ("def f(x):\n    ‸", "return '('\n‸x"),
    ("class A:\n    def f(self):\n        ‸", "return 1\n\n    ‸d"),
    ("class A:\n\tdef f(self):\n\t\t‸", "return 1\n\n\t‸d"),
    ("class A:\n\tdef f(self):\n\t\t‸", "return 1\n\n    ‸d"),
    ("def f(xs):\n    for x in xs:‸", "\n        print(x)\n    ‸r"),
    ("def f(xs):\n    for x in xs:\n        ‸", "print(x)\n    ‸r"),
    ("def f(xs):\n    x = 1\n    ‸", "if x:\n        print(x)\n‸r"),
    ("import os\n\n‸", "def f():\n    return 1\n\n\n‸d"),
    ("import os\r\n\r\n‸", "import re\r\n \r\n‸d"),
    ("class A:\n    x = 1\n\n    ‸", "def f(self):\n        return 1\n\n    ‸d"),
    ("x = ‸", "1‸\n"),
    ("x = ‸", "f(\n    1,\n)‸\n"),
    ("x = f(‸)", "1, 2‸\n"),
    ("x = f(‸", "1,\n  2)‸\n"),
    ("x = '‸", "abc‸\n"),
    ("# Sort ‸", "(by name‸\n"),
    ('def f(x):\n    """Do ‸', "this (and‸\n"),
    ("x = f(  # note ‸", "this‸\n"),
]


@pytest.mark.parametrize(("drawn", "text"), STOPS)
def test_decoding_stops_as_soon_as_the_scope_is_left_and_not_before(drawn: str, text: str):
    situation = situation_at(cursor_in(drawn))
    inside, _, outside = text.partition("‸")
    whole = inside + outside
    assert [n for n in range(len(whole) + 1) if is_complete(whole[:n], situation)] == [len(whole)]
    assert whole[: scope_end(whole, situation)].rstrip() == inside.rstrip()


GOES_ON = [
    ("def f(x):\n    ‸", "return f(\n1,\n)\n    x"),
    ("def f(x):\n    ‸", "\n\n    x = 1\n\n\n    return x\n\n"),
    ("def f(x):\n    ‸", "return f(\n    default=1,\n)"),
    ("def f(x):\n    ‸", "return 1 + \\\n1"),
    ("class A:\n    ‸", "x = 1\n    y = 2\n"),
    ("import os\n‸", "import re\nimport sys\n\n\n    "),
    ("import os\r\n‸", "import re\r\nimport sys\r\n"),
    ("import os\r\n‸", "x = 1\r\n" + "\r\n" * 99),  # a pattern that backtracks would not come back
    ("def f(x):\n    y = 1\n    ‸", "z = 1\n\n    return z\n"),
    ("x = f(‸", "1,\n  2,\n"),
]


@pytest.mark.parametrize(("drawn", "text"), GOES_ON)
def test_decoding_goes_on_inside_the_scope(drawn: str, text: str):
    situation = situation_at(cursor_in(drawn))
    assert [n for n in range(len(text) + 1) if is_complete(text[:n], situation)] == []


def test_a_block_of_another_language_ends_by_indentation():
    situation = situation_at(cursor_in("function f() {\n    ‸\n}", "javascript"))
    inside = 'if (x) {\n        return "}";\n    }\n\n    return 1;\n'
    assert not is_complete(inside, situation)
    assert scope_end(inside + "x", situation) == len(inside)


@pytest.mark.parametrize("problem", PROBLEMS, ids=lambda problem: problem["task_id"])
def test_a_humaneval_solution_stops_at_the_line_after_it(problem: dict[str, str]):
    prompt, solution = problem["prompt"], problem["canonical_solution"] + "\n\n"
    situation = situation_at(Cursor(Document("file:///problem.py", "python", prompt), len(prompt)))
    assert situation.scope == "function"
    text = solution + "def other():\n    pass\n"
    stop = next(n for n in range(len(text)) if is_complete(text[:n], situation))
    assert stop == len(solution) + 1


@given(st.text("\n\r\t f(x):[]\"'#def\\", max_size=60), st.text('\n \tx=(1):#d"', max_size=40), st.data())
def test_what_stops_decoding_is_what_is_cut(document: str, text: str, data: st.DataObject):
    offset = data.draw(st.integers(0, len(document)))
    situation = situation_at(Cursor(Document("file:///a.py", "python", document), offset))
    end = scope_end(text, situation)
    assert is_complete(text, situation) == (end is not None)
    cut = cut_at_scope_end(Draft(text), situation)
    assert cut is not None
    assert cut.text == text[:end]
    assert text.startswith(cut.text)
