"""Named inputs with their output."""

from __future__ import annotations

import pytest

from tests.unit.completion.examples.reading import claims, documented, read

TWO = "def f(s, c):"
CERTAIN = [
    ("For s = 'abc', c = 'ae', the result should be ('b', False)", TWO, "f('abc', 'ae')", "('b', False)"),
    ("For c = 'ae' and s = 'abc' the output is 3", TWO, "f('abc', 'ae')", "3"),
    (
        "For x = 147, the sum of digits will be 12 the output should be '1100'.",
        "def f(x):",
        "f(147)",
        "'1100'",
    ),
    ("For x = [1.4,4.2,0] the output should be 29", "def f(x):", "f([1.4,4.2,0])", "29"),
    ("for x = 5 returns 3", "def f(x):", "f(5)", "3"),
    ("Given x = 5, return 3", "def f(x):", "f(5)", "3"),
    ("x = 5", "def f(x):", None, None),
    ("Input: [4,2,3]\nOutput: [2, 1]\nExplanation: none", "def f(x):", "f([4,2,3])", "[2, 1]"),
    ("Input: x = 5\nOutput: 1", "def f(x):", "f(5)", "1"),
    ("Input: s = 'a', c = 3\n\nOutput: 24 # the sum", TWO, "f('a', 3)", "24"),
    ("Input: 3, 5\nOutput: 8", TWO, "f(3, 5)", "8"),
    ("Input: 3 Output: 8", "def f(x):", "f(3)", "8"),
    (
        "Input:\n    grid : [[1]]\n    bucket_capacity : 2\nOutput: 6",
        "def f(grid, capacity):",
        "f([[1]], 2)",
        "6",
    ),
    ("Input: s = 'a'\nOutput: 1", "def f(s, c=0):", "f('a')", "1"),
    ("Input: s = 'a'\nOutput: 1", "def f(c=0, s=''):", "f(s='a')", "1"),
]


@pytest.mark.parametrize(("text", "signature", "source", "value"), CERTAIN)
def test_a_pair_is_read(text: str, signature: str, source: str | None, value: str | None):
    assert claims(read(documented(text, signature))) == ([(source, value)] if source else [])


UNCERTAIN = [
    ("For y = 5 the output should be 3", "For x = 5 the output should be 3"),
    ("For x = 5 the output should not be 3", "For x = 5 the output should be 3"),
    ("For x = 5, y = 2 the output should be 3", "For x = 5 the output should be 3"),
    ("For x = n the output should be 3", "For x = 5 the output should be 3"),
    ("For x = 5 the output has 3 digits", "For x = 5 the output is 3"),
    ("Input: abc\nOutput: 3", "Input: 'abc'\nOutput: 3"),
    ("Input: 5\nOutput: abc", "Input: 5\nOutput: 'abc'"),
    ("Input: 5\n1 2 3\nOutput: 3", "Input: 5\nOutput: 3"),
    ("Input: 5 lines\nOutput: 3", "Input: 5\nOutput: 3"),
    ("Input: 5, 6\nOutput: 3", "Input: 5\nOutput: 3"),
    ("Input: 5\nExplanation: it is so\nOutput: 3", "Input: 5\nOutput: 3"),
    ("Input: 5\nOutput: 3 or 4", "Input: 5\nOutput: 3"),
    (">>> input = []\n>>> output = []", "input = []\noutput = []"),
]


@pytest.mark.parametrize(("text", "twin"), UNCERTAIN)
def test_what_is_not_certain_is_not_read(text: str, twin: str):
    assert claims(read(documented(text))) == []
    assert len(read(documented(twin))) == 1


def test_any_number_of_parameters_cannot_be_named():
    assert claims(read(documented("Input: x = 5\nOutput: 1", "def f(*x):"))) == []
    assert len(read(documented("Input: x = 5\nOutput: 1", "def f(x):"))) == 1
