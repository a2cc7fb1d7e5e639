"""Doctests as sessions of steps."""

from __future__ import annotations

import pytest

from tests.unit.completion.examples.reading import claims, documented, read, steps


def shown(docstring: str, signature: str = "def f(x):", before: str = "") -> list[str]:
    return [one.text for one in read(documented(docstring, signature, before))]


@pytest.mark.parametrize(
    ("docstring", "source", "wanted"),
    [
        (">>> f(2)\n4", "f(2)", "4"),
        (">>> f([1,\n...    2])\n4", "f([1,\n   2])", "4"),
        (">>> f(2)  # doubles\n4", "f(2)  # doubles", "4"),
        (">>> print(f(2))\n4\n<BLANKLINE>\n5", "print(f(2))", "4\n<BLANKLINE>\n5"),
        (">>> f(2)\n['a',\n 'b']", "f(2)", "['a',\n 'b']"),
        (">>> for n in f(2):\n...     print(n)\n1\n2", "for n in f(2):\n    print(n)", "1\n2"),
        (">>> f(2) == 4\nTrue", "f(2)", "4"),
        (">>> f(2) == 4", "f(2)", "4"),
        (">>> 4 == f(2)\nTrue", "f(2)", "4"),
        (">>> f(2) == 4\nFalse", "f(2) == 4", "False"),
        (">>> assert f(2) == 4", "f(2)", "4"),
        (">>> assert f(2) is None", "f(2)", "None"),
        (">>> assert f(2) > 3", "bool(f(2) > 3)", "True"),
        (">>> f(2)  # 4", "f(2)", "4"),
        (">>> f(2)  # => 4", "f(2)", "4"),
        (">>> f(2)\n4\n```", "f(2)", "4"),
        (">>> f(2)\nPoint(x=1)", "f(2)", "Point(x=1)"),
    ],
)
def test_a_step_is_an_example(docstring: str, source: str, wanted: str):
    assert claims(read(documented(docstring))) == [(source, wanted)]


@pytest.mark.parametrize(
    ("docstring", "twin"),
    [
        (">>> f(y)\n4", ">>> y = 1\n>>> f(y)\n4"),
        (">>> g(2)\n4", ">>> f(2)\n4"),
        (">>> 1 + 1\n2", ">>> 1 + f(1)\n2"),
        (">>> f(2)", ">>> f(2)\n4"),
        (">>> f([1, 0]) [0, 1]", ">>> f([1, 0])\n[0, 1]"),
        (">>> f(2)  # doctest: +SKIP\n4", ">>> f(2)  # doctest: +ELLIPSIS\n4"),
        (">>> f(2)\n<object at 0x7f32>", ">>> f(2)\n<object at 0x...>"),
        (">>> f(2)\n...", ">>> f(2)\n4..."),
        (">>> f(2)  # may vary\n4", ">>> f(2)  # always\n4"),
        (">>> f(random.random())\n4", ">>> f(0.5)\n4"),
        (">>> f(2)\n4\nAnd this is what it does.", ">>> f(2)\n4\n5"),
        (">>> f(2\n4", ">>> f(2)\n4"),
    ],
)
def test_what_is_not_certain_is_not_an_example(docstring: str, twin: str):
    before = "import random\n"
    assert shown(docstring, before=before) == []
    assert len(shown(twin, before=before)) == 1


def test_exceptions_and_flags():
    docstring = (
        ">>> f(0)\nTraceback (most recent call last):\n    ...\nValueError: no\n\n"
        ">>> f(1)  # doctest: +NORMALIZE_WHITESPACE, +ELLIPSIS\n[1,  2]"
    )
    error, spaced = steps(read(documented(docstring)))
    assert error.wanted is not None
    assert (error.wanted.form, error.wanted.text) == ("error", "ValueError: no")
    assert spaced.wanted is not None
    assert set(spaced.wanted.flags) == {"NORMALIZE_WHITESPACE", "ELLIPSIS"}


def test_a_session_keeps_its_steps_and_marks_those_that_depend_on_the_function():
    docstring = (
        ">>> values = [3, 1]\n>>> values\n[3, 1]\n>>> f(values)\n>>> values\n[1, 3]\n"
        ">>> y = f(2)\n>>> y\n4\n>>> y = 1\n>>> y\n1"
    )
    examples = read(documented(docstring))
    assert [one.text for one in examples] == ["values == [1, 3]", "y == 4"]
    assert [step.source for step in examples.sessions[0].steps] == [
        "values = [3, 1]",
        "values",
        "f(values)",
        "values",
        "y = f(2)",
        "y",
        "y = 1",
        "y",
    ]
    assert [one.line for one in examples] == [6, 9]


def test_no_output_means_none_where_the_annotation_says_that_it_is_one_of_several_results():
    docstring = ">>> f([])\n\n>>> f(['a'])\n'a'"
    assert shown(docstring, "def f(x) -> Optional[str]:") == ["f([]) == None", "f(['a']) == 'a'"]
    assert shown(docstring, "def f(x) -> str | None:") == ["f([]) == None", "f(['a']) == 'a'"]
    assert shown(docstring, "def f(x):") == ["f(['a']) == 'a'"]


def test_an_import_of_the_documents_own_names_is_left_out():
    own = ">>> from package.module import f\n>>> f(2)\n4"
    assert [step.source for step in read(documented(own)).sessions[0].steps] == ["f(2)"]
    other = ">>> from math import sqrt\n>>> f(sqrt(4))\n4"
    assert [step.source for step in read(documented(other)).sessions[0].steps] == [
        "from math import sqrt",
        "f(sqrt(4))",
    ]


def test_an_escape_that_breaks_an_example_is_read_as_written():
    docstring = '>>> f("ab\\nc")\n\'b\\nc\'\n>>> f("\\t")\n4'
    assert claims(read(documented(docstring))) == [('f("ab\\nc")', "'b\\nc'"), ('f("\\t")', "4")]
    raw = documented(docstring).replace('"""', 'r"""', 1)
    assert claims(read(raw)) == claims(read(documented(docstring)))


def test_a_broken_block_hides_no_other():
    assert shown(">>>f(1)\n1\n\n>>> f(2)\n4\n\n>>> f(\n3") == ["f(2) == 4"]


def test_a_method_is_called_on_an_instance():
    document = (
        "class Stack:\n    def push(self, x):\n        self.items = [x]\n\n"
        "    def top(self):\n"
        '        """\n        >>> stack = Stack()\n        >>> stack.push(1)\n        >>> stack.top()\n'
        '        1\n        """\n'
    )
    examples = read(document, "top")
    assert (examples.function, [one.text for one in examples]) == ("Stack.top", ["stack.top() == 1"])


def test_an_async_function_is_awaited():
    docstring = ">>> import asyncio\n>>> asyncio.run(f(2))\n4\n>>> await f(2)\n4\n>>> f(2)\n4"
    assert shown(docstring, "async def f(x):") == ["asyncio.run(f(2)) == 4", "await f(2) == 4"]
