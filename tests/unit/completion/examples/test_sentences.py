"""What prose says about calls."""

from __future__ import annotations

import pytest

from tests.unit.completion.examples.reading import claims, documented, read, steps

CERTAIN = [
    ("f(2) == 4", "f(2)", "4"),
    ("f(2) => 4", "f(2)", "4"),
    ("f(2) ==> 4", "f(2)", "4"),
    ("f(2) -> 4", "f(2)", "4"),
    ("f(2) --> 4", "f(2)", "4"),
    ("f(2)->4", "f(2)", "4"),
    ("f(2) ➞ 4", "f(2)", "4"),
    ("f(2) → 4", "f(2)", "4"),
    ("f(2) = 4", "f(2)", "4"),
    ("f(2) returns 4", "f(2)", "4"),
    ("f(2) should return 4.", "f(2)", "4"),
    ("f(2) should be 4", "f(2)", "4"),
    ("f(2) must return 4", "f(2)", "4"),
    ("f(2) equals 4", "f(2)", "4"),
    ("f(2) gives 4", "f(2)", "4"),
    ("f(2) evaluates to 4", "f(2)", "4"),
    ("f(2)  # 4", "f(2)", "4"),
    ("f(2)  # => 4", "f(2)", "4"),
    ("f(2)  # returns 4", "f(2)", "4"),
    ("f(2) # => 'Yes' (the name should start with a letter)", "f(2)", "'Yes'"),
    ("* f(2) -> 4", "f(2)", "4"),
    ("- f(2) == 4", "f(2)", "4"),
    ("1. f(2) == 4", "f(2)", "4"),
    ("for f(2) == 4", "f(2)", "4"),
    ("assert f(2) == 4", "f(2)", "4"),
    ("e.g. f(2) == 4", "f(2)", "4"),
    ("For example, f(2) returns 4.", "f(2)", "4"),
    ("(f(2) == 4)", "f(2)", "4"),
    ("`f(2)` returns `4`.", "f(2)", "4"),
    ("``f(2)`` returns ``4``", "f(2)", "4"),
    ("f(2) returns 4 because 2 is even", "f(2)", "4"),
    ("f(2) returns 4. It doubles.", "f(2)", "4"),
    ("f(2) == 4  # it doubles", "f(2)", "4"),
    ("f(2) -> 19 - 5 - 6 = 8", "f(2)", "19 - 5 - 6"),
    ("f(2) == 1 + 9 + 0 = 10", "f(2)", "1 + 9 + 0"),
    ("f(2) => true", "f(2)", "True"),
    ("f(2) => -1.5", "f(2)", "-1.5"),
    ("f([1, 2]) => {'a': [1, (2,)]}", "f([1, 2])", "{'a': [1, (2,)]}"),
    ("f(')') => '('", "f(')')", "'('"),
    ("f('a, b') => ['a', 'b']", "f('a, b')", "['a', 'b']"),
    ("f(2) == set()", "f(2)", "set()"),
    ("f(2) == None", "f(2)", "None"),
    ("round(f(2), 1) == 4.0", "round(f(2), 1)", "4.0"),
    ("f(2)[0] == 4", "f(2)[0]", "4"),
    ("4 == f(2)", "f(2)", "4"),
]


@pytest.mark.parametrize(("line", "source", "value"), CERTAIN)
def test_a_claim_is_read(line: str, source: str, value: str):
    assert claims(read(documented(f"Do it.\n\n{line}"))) == [(source, value)]


#: Lines that look like claims, each with a twin that is one.
UNCERTAIN = [
    ("f(n) == 4", "f(5) == 4"),
    ("f(x) == 4", "f(1) == 4"),
    ("f(aa) => False", "f('aa') => False"),
    ("f(2) != 4", "f(2) == 4"),
    ("assert f(2) > 3  # compares", "assert f(2) == 4  # compares"),
    ("f(2) >= 4", "f(2) == 4"),
    ("f(2) => 4 or 5", "f(2) => 4"),
    ("f(2) => 4, 5", "f(2) => (4, 5)"),
    ("f(2) => ('Venus')", "f(2) => ('Venus',)"),
    ("f(2) => 4 apples", "f(2) => '4 apples'"),
    ("f(2) => abc", "f(2) => 'abc'"),
    ("f(2) => ''abc'", "f(2) => 'abc'"),
    ("f(2) => [1, 2, ...]", "f(2) => [1, 2]"),
    ("f(2) => 1/2", "f(2) == 1/2"),
    ("f(2) => 2020-10-11", "f(2) => '2020-10-11'"),
    ("f(2) => 2^3", "f(2) => 2 ** 3"),
    ("f(2) => 4 if x else 5", "f(2) => 4"),
    ("f(2) returns 4 + x", "f(2) returns 4 + 1"),
    ("f(2) == f(1)", "f(2) == 4"),
    ("g(f(2)) => 4", "len(f(2)) == 4"),
    ("x.f(2) => 4", "f(2) => 4"),
    ("1 + f(2) => 4", "1 + f(2) == 4"),
    ("not f(2) == 4", "So f(2) == 4"),
    ("It does not hold that f(2) == 4", "It holds that f(2) == 4"),
    ("instead of f(2) == 4", "hence f(2) == 4"),
    ("If f(2) == 4, stop.", "Here f(2) == 4, since it doubles."),
    ("y = f(2) == 4", "So: f(2) == 4"),
    ("This is wrong:\nf(2) == 4", "This holds:\nf(2) == 4"),
    ("f() -> None", "f(1) -> 0"),
    ("unknown(2) == 4", "f(2) == 4"),
    ("f(2) should not return 4", "f(2) should return 4"),
    ("f(2) returns 4 (mod 7)", "f(2) returns 4 (the double)"),
    ("f(2) = 1 + 2 = 4", "f(2) = 1 + 3 = 4"),
]


@pytest.mark.parametrize(("line", "twin"), UNCERTAIN)
def test_what_is_not_certain_is_not_read(line: str, twin: str):
    assert claims(read(documented(f"Do it.\n\n{line}"))) == []
    assert len(read(documented(f"Do it.\n\n{twin}"))) == 1


def test_a_call_and_a_value_may_have_several_lines():
    document = documented("f([\n  [1, 2],\n  [3],\n], 1) == [(0, 0),\n  (1, 1)]", "def f(x, y):")
    (step,) = steps(read(document))
    assert step.source == "f([\n      [1, 2],\n      [3],\n    ], 1)"
    assert step.line == 2
    assert step.wanted is not None
    assert step.wanted.text == "[(0, 0),\n      (1, 1)]"


def test_several_claims_in_a_line_and_in_prose():
    text = 'For example f("14.5") should\nreturn 15 and f("-14.5") should return -15.'
    assert claims(read(documented(text))) == [('f("14.5")', "15"), ('f("-14.5")', "-15")]


@pytest.mark.parametrize(
    ("line", "tolerance"),
    [
        ("f(2) ≈ 1.41", 0.01),
        ("f(2) returns about 1.4", 0.1),
        ("f(2) -> 1.414...", 0.001),
        ("f(2) -> 1.414214", 0.5e-6),
        ("f(2) == 1.414214", 0.0),
        ("f(2) -> 1.41", 0.0),
    ],
)
def test_a_number_has_the_tolerance_that_the_text_shows(line: str, tolerance: float):
    (step,) = steps(read(documented(line)))
    assert step.wanted is not None
    assert step.wanted.tolerance == pytest.approx(tolerance)


def test_claims_that_contradict_each_other_are_left_out():
    assert claims(read(documented("f(2) == 4\nf(2) == 5\nf(3) == 6"))) == [("f(3)", "6")]


def test_equations_that_may_define_a_sequence_are_left_out():
    sequence = "f(1) = 3\nf(4) = 3\nf(3) = [1, 3, 2, 8]"
    assert claims(read(documented(sequence))) == []
    assert len(read(documented("f(1) = 3\nf(4) = 3\nf(3) = 8"))) == 3


def test_a_value_that_the_annotation_rules_out_is_left_out():
    assert claims(read(documented("f(2) -> 4", "def f(x) -> str:"))) == []
    assert claims(read(documented("f(2) -> 4", "def f(x) -> float:"))) == [("f(2)", "4")]
    assert claims(read(documented("f(2) -> 4", "def f(x) -> int | None:"))) == [("f(2)", "4")]


def test_lines_of_doctests_are_not_prose():
    assert len(read(documented(">>> f(2)\n4\n\nf(3) == 6"))) == 2
    assert [one.kind for one in read(documented(">>> print('f(2) == 4')\nf(2) == 4"))] == []


def test_an_async_function_needs_to_be_awaited():
    assert claims(read(documented("f(2) == 4", "async def f(x):"))) == []
    assert claims(read(documented("assert asyncio.run(f(2)) == 4", "async def f(x):", "import asyncio\n")))


def test_a_method_needs_an_instance():
    document = 'class C:\n    def f(self, x):\n        """\n        {}\n        """\n'
    assert claims(read(document.format("f(2) == 4"))) == []
    assert claims(read(document.format("C().f(2) == 4"))) == [("C().f(2)", "4")]
