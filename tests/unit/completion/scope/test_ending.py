"""When decoding stops."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from copilot_server.completion.filters.cut_at_scope_end import cut_at_scope_end
from copilot_server.completion.filters.draft import Draft
from copilot_server.completion.scope.ending import StopRule, scope_end
from copilot_server.completion.scope.scope import situation_at
from copilot_server.context.document import Cursor, Document
from tests.support.cursor_text import cursor_in
from tests.support.human_eval import PROBLEMS

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
    ("x = f(‸)", "\n    1,\n    2,\n)‸\n"),
    ("if f(‸):", "\n    1\n):‸\n"),
    ("x = f(‸) + 1", "‸\n"),
    ("x = f(1, ‸)", "‸\n"),
    ("x = '‸", "abc‸\n"),
    ("def f(x):\n    for y in x:\n‸            print(y)\n", "        if y:\n‸p"),
    ("x = f(\n    a=‸\n)\n", "1,\n    b=2,‸\n)"),
    ("x = f(\n    a=‸\n)\n", "g(2)‸)"),
    ("x = f(\n    a='‸\n)\n", "g)'‸)"),
    ("x = (\n    [‸\n)\n", "1]‸)"),
    ("x = f(\n    g(‸\n    b,\n)\n", "1),\n    c,‸\n)"),
    ("x = f(\n    [g(‸)\n)\n", "1)],‸\n)"),
    ("# Sort ‸", "(by name‸\n"),
    ('def f(x):\n    """Do ‸', "this (and‸\n"),
    ("x = f(  # note ‸", "this‸\n"),
]


@pytest.mark.parametrize(
    ("drawn", "text"),
    [
        ("def f(x):\n‸    return x\n", "    y = 1\n‸    return x\n"),
        ("def f(x):\n    ‸return x  \r\n", "y = 1\n\n‸    return x\n"),
        ("x = [\n‸    2,\n]\n", "    1,\n‸    2,\n"),
    ],
)
def test_a_gap_ends_where_the_line_after_it_is_written_again(drawn: str, text: str):
    rule = StopRule(situation_at(cursor_in(drawn)))
    gap, _, again = text.partition("‸")
    whole = gap + again
    assert [n for n in range(len(whole) + 1) if rule(whole[:n])] == [len(whole)]
    assert rule.end(whole) == len(gap)


@pytest.mark.parametrize(("drawn", "text"), STOPS)
def test_decoding_stops_as_soon_as_the_scope_is_left_and_not_before(drawn: str, text: str):
    situation = situation_at(cursor_in(drawn))
    inside, _, outside = text.partition("‸")
    whole = inside + outside
    rule = StopRule(situation)
    assert [n for n in range(len(whole) + 1) if rule(whole[:n])] == [len(whole)]
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
    rule = StopRule(situation_at(cursor_in(drawn)))
    assert [n for n in range(len(text) + 1) if rule(text[:n])] == []


@pytest.mark.parametrize(
    ("below", "text"),
    [
        ("    g();\n}\n", "if (x) {\n        y();\n    }\n    h();\n‸}"),
        ("}\n", "if (x) {\n        y();\n    }\n    h();\n}"),
        ("\n", "h();\n}"),
        ("    g();\n}\n", "h([\n    1,\n]);\n"),
    ],
)
def test_a_block_of_another_language_closes_nothing_that_goes_on_below(below: str, text: str):
    situation = situation_at(cursor_in(f"void f() {{\n    ‸\n{below}", "java"))
    inside, mark, outside = text.partition("‸")
    assert scope_end(inside + outside, situation) == (len(inside) if mark else None)


def test_a_block_of_another_language_ends_by_indentation():
    situation = situation_at(cursor_in("function f() {\n    ‸\n}", "javascript"))
    inside = 'if (x) {\n        return "}";\n    }\n\n    return 1;\n'
    assert scope_end(inside, situation) is None
    assert scope_end(inside + "x", situation) == len(inside)


@pytest.mark.parametrize("problem", PROBLEMS, ids=lambda problem: problem["task_id"])
def test_a_humaneval_solution_stops_at_the_line_after_it(problem: dict[str, str]):
    prompt, solution = problem["prompt"], problem["canonical_solution"] + "\n\n"
    situation = situation_at(Cursor(Document("file:///problem.py", "python", prompt), len(prompt)))
    assert situation.scope == "function"
    text = solution + "def other():\n    pass\n"
    rule = StopRule(situation)
    stop = next(n for n in range(len(text)) if rule(text[:n]))
    assert stop == len(solution) + 1


@given(st.text("\n\r\t f(x):[]\"'#def\\", max_size=60), st.text('\n \tx=(1):#d"', max_size=40), st.data())
def test_what_stops_decoding_is_what_is_cut(document: str, text: str, data: st.DataObject):
    offset = data.draw(st.integers(0, len(document)))
    situation = situation_at(Cursor(Document("file:///a.py", "python", document), offset))
    end = scope_end(text, situation)
    assert StopRule(situation)(text) == (end is not None)
    cut = cut_at_scope_end(Draft(text), situation)
    assert cut is not None
    assert cut.text == text[:end]
    assert text.startswith(cut.text)


PIECES = st.sampled_from(
    [*"\n\n\n\r\\\t()[]#'\"}", "\r\n", "    ", "x = 1", "de", "f ", "return x", "'", '"', "'''", '"""']
)


@pytest.mark.slow
@settings(max_examples=400)
@given(
    st.sampled_from(
        ["", "x = ", "x = [", "def f(x):\n    ", "def f(x):\n    y = 1\n    ", "class A:\n    ", "# "]
    ),
    st.lists(PIECES, max_size=4).map("".join),
    st.lists(PIECES, max_size=3),
    st.lists(st.lists(PIECES, max_size=20), min_size=1, max_size=3),
    st.sampled_from(["python", "javascript"]),
)
def test_what_a_rule_remembers_changes_nothing(
    before: str, after: str, common: list[str], texts: list[list[str]], language: str
):
    """Candidates grow side by side; each time the answer is that of a rule that has seen nothing yet."""
    situation = situation_at(Cursor(Document("file:///a", language, before + after), len(before)))
    rule = StopRule(situation)
    for count in range(1, max(map(len, texts)) + len(common) + 1):
        for pieces in texts:
            text = "".join([*common, *pieces][:count])
            assert rule.end(text) == scope_end(text, situation)


def test_a_candidate_is_not_taken_for_another_that_begins_alike():
    rule = StopRule(situation_at(cursor_in("x = [‸")))
    assert not rule("'\n")  # a string that the line end breaks off
    assert not rule("'''\nreturn x")  # one that goes on
    assert rule("'\nreturn x")
