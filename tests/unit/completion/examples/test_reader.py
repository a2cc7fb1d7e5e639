"""The examples of the function at a cursor, whatever the state of the document."""

from __future__ import annotations

import random
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from copilot_server.completion.examples import read_examples
from copilot_server.evaluation.problems import load_problems
from copilot_server.sandbox.comparing import plain_value, same
from tests.unit.completion.examples.reading import claims, documented, read, steps

#: The problems of HumanEval whose prompts hold no example of the function that Python can read.
WITHOUT = {
    "HumanEval/38": "no example",
    "HumanEval/41": "no example",
    "HumanEval/50": "no example",
    "HumanEval/80": "strings without quotes",
    "HumanEval/81": "the examples call grade_equation",
    "HumanEval/83": "no example",
    "HumanEval/105": "the steps of the computation, without a call",
    "HumanEval/130": "equations of a sequence beside those of the function",
    "HumanEval/149": "the examples call list_sort",
    "HumanEval/160": "an array of operators in an index, without a call",
}


def test_all_prompts_of_human_eval_but_those_listed_have_an_example():
    problems = load_problems().problems
    without = {one.task_id for one in problems if not len(read_examples(one.prompt, len(one.prompt)))}
    assert without == set(WITHOUT)


@pytest.mark.parametrize(
    "body",
    ["", "    ", "    return", "    return x +", "    if x:\n        y = (", "    return 2 * x", "    '''"],
)
def test_the_body_may_be_missing_or_unfinished(body: str):
    document = documented(">>> f(2)\n4")
    assert claims(read_examples(document + body, len(document + body))) == [("f(2)", "4")]
    below = "\n\ndef g():\n    return (1\n\nx = [\n"
    assert claims(read_examples(document + body + below, len(document + body))) == [("f(2)", "4")]


def test_the_function_is_that_around_the_cursor():
    document = documented("f(1) == 1") + "    return 1\n\n\n" + documented("g(2) == 2", "def g(x):")
    assert claims(read_examples(document, document.index("return"))) == [("f(1)", "1")]
    assert claims(read_examples(document, len(document))) == [("g(2)", "2")]
    assert len(read_examples(document, document.index("def g") - 1)) == 0


def test_functions_within_functions_have_no_examples():
    nested = "def g():\n    def f(x):\n        '''\n        >>> f(2)\n        4\n        '''\n        "
    assert len(read_examples(nested, len(nested))) == 0
    assert len(read_examples(nested.replace("def g():", "class g:"), len(nested))) == 0
    assert len(read(documented(">>> f(2)\n4"))) == 1


def test_line_ends_of_windows_and_other_quotes():
    document = documented(">>> f(2)\n4\n\nf(3) == 6")
    quoted, raw = document.replace('"""', "'''"), document.replace('"""', 'r"""', 1)
    for text in (document.replace("\n", "\r\n"), quoted, raw):
        assert claims(read_examples(text, len(text))) == [("f(2)", "4"), ("f(3)", "6")]
    assert len(read_examples(document.replace('"""', 'f"""', 1), len(document) + 1)) == 0


def test_the_rest_of_the_module_speaks_of_the_function_too():
    document = (
        '"""A module.\n\n>>> f(1)\n2\n"""\n\nEXPECTED = 6\n\n\ndef f(x):\n    "Double it."\n    \n\n\n'
        'def g():\n    """Say more.\n\n    >>> f(2)\n    4\n    """\n\n\n'
        "def test_f():\n    assert f(3) == 6\n    value = 8\n    assert f(4) == value\n"
        "    assert f(3) == EXPECTED\n"
        "    assert g() == 4\n\n\nassert f(5) == 10\n"
    )
    examples = read_examples(document, document.index('it."\n') + 9)
    assert [(one.kind, one.text, one.line) for one in examples] == [
        ("doctest", "f(1) == 2", 2),
        ("doctest", "f(2) == 4", 17),
        ("assertion", "f(3) == 6", 23),
        ("assertion", "f(3) == EXPECTED", 26),
        ("assertion", "f(5) == 10", 30),
    ]


@pytest.mark.parametrize(
    ("around", "twin"),
    [
        ("def test(n):\n    assert f(n) == 2\n", "def test():\n    assert f(1) == 2\n"),
        ("def test(patch):\n    assert f(1) == 2\n", "def test():\n    assert f(1) == 2\n"),
        ("def test():\n    N = 1\n    assert f(N) == 2\n", "def test():\n    assert f(N) == 2\n"),
        (
            "def test():\n    if N:\n        assert f(1) == 2\n",
            "class T:\n    def t(self):\n        assert f(1) == 2\n",
        ),
        ("@xfail\ndef test():\n    assert f(1) == 2\n", "async def test():\n    assert f(1) == 2\n"),
        ("if N:\n    assert f(1) == 2\n", "if __name__ == '__main__':\n    assert f(1) == 2\n"),
        (
            "def g():\n    '''\n    >>> h(1)\n    2\n    '''\n",
            "def g():\n    '''\n    >>> f(1)\n    2\n    '''\n",
        ),
    ],
)
def test_what_only_its_surroundings_give_a_meaning_is_left_out(around: str, twin: str):
    start = "N = 1\n\n\ndef f(x):\n    return x\n\n\n"
    assert len(read_examples(start + around, start.index("return"))) == 0
    assert len(read_examples(start + twin, start.index("return"))) == 1


def test_asserts_within_the_function_itself_do_not_count():
    document = "def f(x):\n    assert f(1) == 1\n    return x\n"
    assert len(read_examples(document, len(document) - 1)) == 0
    outside = "def f(x):\n    return x\n\n\nassert f(1) == 1\n"
    assert len(read_examples(outside, 20)) == 1


def test_lines_are_those_of_the_document():
    document = documented("First.\n\n>>> f(2)\n4\n\nf(3) == 6", before="import math\n\n\n")
    lines = document.split("\n")
    assert [lines[one.line].strip() for one in read(document)] == [">>> f(2)", "f(3) == 6"]


LETTERS = st.characters(codec="utf-8", exclude_characters="\\\"'`\r\f\v\x85\u2028\u2029")
PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(LETTERS, max_size=8).filter(str.isprintable),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.tuples(inner, inner)
        | st.dictionaries(st.integers() | st.text("abc", max_size=3), inner, max_size=3)
        | st.sets(st.integers(), min_size=1, max_size=3)
    ),
    max_leaves=6,
)
FORMS = [
    "f({0!r}) == {1!r}",
    "f({0!r}) => {1!r}",
    "f({0!r}) ➞ {1!r}",
    "f({0!r}) returns {1!r}",
    "f({0!r}) should be {1!r}.",
    "f({0!r})  # {1!r}",
    "`f({0!r})` returns `{1!r}`",
    ">>> f({0!r}) == {1!r}",
    ">>> f({0!r}) == {1!r}\nTrue",
    "For x = {0!r} the output should be {1!r}",
    "Input: {0!r}\nOutput: {1!r}",
]


@settings(max_examples=40, deadline=None)
@given(PLAIN, PLAIN, st.sampled_from(FORMS))
def test_a_value_is_read_back_equal_in_each_form(argument: object, value: object, form: str):
    (step,) = steps(read_raw(form.format(argument, value)))
    assert step.wanted is not None
    assert plain_value(step.source[len("f(") : -1]) == argument
    assert same(plain_value(step.wanted.text), value, strict=True)


@settings(max_examples=30, deadline=None)
@given(PLAIN)
def test_printed_values_are_read_as_they_are(value: object):
    if value is not None:
        (step,) = steps(read_raw(f">>> f(0)\n{value!r}"))
        assert step.wanted is not None
        assert step.wanted.text == repr(value)


def read_raw(docstring: str):
    document = documented(docstring).replace('"""', "'''" if '"""' in docstring else '"""')
    return read_examples(document.replace('"""', 'r"""', 1), len(document) + 1)


#: What is inserted, deleted or doubled at random.
PIECES = (
    *(">>> ", "... ", '"""', "'", "(", ")", "[", "\\", "\n", "\n\n", "==", "->", "f(", "Input:", "Output:"),
    *("\0", "\ud800", "\r", "9" * 5000, "(" * 300, "-" * 300, "f(" * 100),
)


def mangled(text: str, draw: random.Random) -> str:
    for _ in range(draw.randrange(1, 6)):
        at = draw.randrange(len(text) + 1)
        end = min(len(text), at + draw.randrange(12))
        text = text[:at] + draw.choice([*PIECES, "", text[at:end] * 2]) + text[end:]
    return text


def test_no_mangled_prompt_raises():
    draw = random.Random("docstrings")
    prompts = [one.prompt for one in load_problems().problems]
    slowest_s = 0.0
    for _ in range(150):
        text = mangled(draw.choice(prompts), draw)
        began = time.process_time()
        read_examples(text, draw.randrange(len(text) + 1))
        read_examples(text, len(text))
        slowest_s = max(slowest_s, time.process_time() - began)
    assert slowest_s < 20


def test_long_documents_take_no_longer_than_they_are():
    lines = "".join(f">>> f({n})\n{n}\n" for n in range(3_000))
    assert len(read(documented(lines))) == 0  # more than is read of a docstring
    assert len(read(documented(lines[:10_000]))) == 32
    hostile = (
        *("f(" * 6_000, "f(2) == " * 2_000, "f(2) == [" * 2_000),
        *("Input: x = 5\n" * 1_000, "For x = 1, " * 1_000),
    )
    for text in hostile:
        assert len(read(documented(text))) <= 32
