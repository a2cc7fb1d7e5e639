"""Candidates checked by the examples of their functions, in the real sandbox."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator

import pytest

from copilot_server.completion.examples import Candidate, Verdicts, check, read_examples
from copilot_server.evaluation.problems import load_problems
from copilot_server.sandbox import Limits, Program, Sandbox, open_sandbox
from tests.support.patience import PATIENCE_S
from tests.unit.completion.examples.reading import documented

PATIENT = Limits(timeout_s=PATIENCE_S)
HURRIED = Limits(timeout_s=1.0)

pytestmark = [
    pytest.mark.serial,  # short time limits, and counts of processes
    pytest.mark.skipif(sys.platform != "linux", reason="the sandbox is for Linux"),
]

#: The examples in HumanEval's prompts that are wrong, with the reason.
WRONG_PROMPTS = {
    ("HumanEval/47", "median([-10, 4, 6, 1000, 10, 20]) == 15.0"): "the median of 6 and 10 is 8",
    ("HumanEval/116", "sort_array([1, 5, 2, 3, 4]) == [1, 2, 3, 4, 5]"): "4 has one 1 and 3 has two",
    ("HumanEval/116", "sort_array([-2, -3, -4, -5, -6]) == [-6, -5, -4, -3, -2]"): "so it is with -4 and -3",
}


WRITE = ">>> _ = out.write(f(2))"
NO = "Traceback (most recent call last):\nValueError: no"


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with open_sandbox(limits=PATIENT) as opened:
        yield opened


def checked(
    sandbox: Sandbox,
    document: str,
    body: str,
    *,
    after: str = "",
    limits: Limits = PATIENT,
    deadline_s: float = 1e6,
) -> Verdicts:
    """Check a body at the end of a document, with ``after`` behind it."""
    text, offset = document + after, len(document)
    deadline = time.monotonic() + deadline_s
    return check(
        sandbox, read_examples(text, offset), Candidate(text, offset, body), limits=limits, deadline=deadline
    )


def outcomes(verdicts: Verdicts) -> list[tuple[str, str]]:
    return [(one.outcome, one.detail) for one in verdicts]


def test_every_canonical_solution_passes_every_example_of_its_prompt_but_wrong_ones(sandbox: Sandbox):
    verdicts = {
        one.task_id: checked(sandbox, one.prompt, one.canonical_solution) for one in load_problems().problems
    }
    others = {
        (task, one.example.text)
        for task, found in verdicts.items()
        for one in found
        if one.outcome != "passed"
    }
    assert others == set(WRONG_PROMPTS)
    assert sum(len(found.passed) for found in verdicts.values()) == 440


def test_no_prompt_without_a_body_passes(sandbox: Sandbox):
    for one in load_problems().problems[::8]:
        found = checked(sandbox, one.prompt, "    pass\n")
        assert len(found.passed) in {0, sum("None" in passed.example.text for passed in found.passed)}


@pytest.mark.parametrize(
    ("docstring", "right", "wrong", "detail"),
    [
        (">>> f(2)\n4", "return 2 * x", "return x", "got 2"),
        ("f(2) == 4", "return 2 * x", "return x", "got 2"),
        ("f(2) returns '4'", "return str(2 * x)", "return 2 * x", "got 4"),
        (">>> f(2)\n'4'", "return str(2 * x)", "return 2 * x", "got 4"),
        (">>> f(2)\n{'b', 'a'}", "return set('ab')", "return ['b', 'a']", "got ['b', 'a']"),
        (">>> f(2)\n{'b': 1, 'a': 0.3}", "return {'a': 0.1 + 0.2, 'b': 1}", "return {}", "got {}"),
        (">>> print(f(2))\n4\n5", "return '4\\n5'", "return '4'", "got 4"),
        (">>> f(2)\n4 5", "print(4, end=' '); print(5)", "print(4)", "got 4"),
        (f">>> f(0)\n{NO}", "raise ValueError('no')", "return 1", "raised nothing, and gave 1"),
        (f">>> f(0)\n{NO}", "raise ValueError('no')", "raise KeyError(1)", "raised KeyError: 1"),
        (">>> a = [3, 1]\n>>> f(a)\n>>> a\n[1, 3]", "x.sort()", "x.reverse(); x.append(1)", "got [1, 3, 1]"),
        (f">>> import sys\n>>> out = sys.stdout\n{WRITE}\n4", "return '4'", "return ''", "got "),
        (">>> a = f(2)\n>>> a\n4", "return 4", "raise KeyError(1)", "a = f(2) raised KeyError: 1"),
        ("f(2) ≈ 1.41", "return x ** 0.5", "return x", "got 2"),
        ("f(2) == 4", "return 2 * x", "return missing", "raised NameError: name 'missing' is not defined"),
        ("f(2) == 4", "return 2 * x", "return lambda: 4", "got <function f.<locals>.<lambda> at"),
        ("f(2) == [4]", "return [2 * x]", "yield 4", "got <generator object f at"),
        ("f(2) == 4", "return 2 * x", "exit()", "raised SystemExit: None"),
        ("f(2) == 4", "return 2 * x", "import os; os._exit(0)", "ended without a verdict (exit status 0)"),
        ("f(2) == 4", "return 2 * x", "return (", "SyntaxError: '(' was never closed"),
        ("f(2) == 4", "return 2 * x", "return 2 *\n    x", "SyntaxError: invalid syntax"),
        ("f(2) == 4", "return 2 * x", "return 2 * x\n    await x", "SyntaxError: 'await'"),
    ],
)  # fmt: skip
def test_right_bodies_pass_and_wrong_ones_fail(
    sandbox: Sandbox, docstring: str, right: str, wrong: str, detail: str
):
    document = documented(docstring)
    assert outcomes(checked(sandbox, document, f"    {right}\n")) == [("passed", "")]
    ((outcome, said),) = outcomes(checked(sandbox, document, f"    {wrong}\n"))
    assert outcome == "failed"
    assert said.startswith(detail)


@pytest.mark.parametrize(
    ("before", "body", "reason"),
    [
        ("import no_such_module\n", "return no_such_module.x", "No module named 'no_such_module'"),
        ("", "import no_such_module", "No module named 'no_such_module'"),
        ("from . import sibling\n", "return sibling.x", "attempted relative import"),
        (
            "from no_such_module import *\n",
            "return helper(x)",
            "`helper` may come from the module no_such_module",
        ),
        ("TABLE = load()\n", "return TABLE[x]", "it needs `TABLE`: it is neither a definition nor"),
        ("", "return open('/no/such/file').read()", "No such file or directory"),
        ("", "import socket; socket.create_connection(('127.0.0.1', 1))", "Operation not permitted"),
        (
            "class V:\n    def __eq__(self, other):\n        return True\n",
            "return V()",
            "which is no plain value",
        ),
    ],
)
def test_what_needs_something_outside_is_not_checked(sandbox: Sandbox, before: str, body: str, reason: str):
    document = documented("f(2) == 4", before=before)
    ((outcome, said),) = outcomes(checked(sandbox, document, f"    {body}\n"))
    assert outcome == "not checked"
    assert reason in said
    assert outcomes(checked(sandbox, document, "    return 4\n")) == [("passed", "")]


def test_the_rest_of_the_users_file_is_not_run(sandbox: Sandbox):
    around = "print('ran')\nraise SystemExit\n\nN = 2\n\n\ndef g(x):\n    return N * x\n\n\n"
    document = documented("f(2) == 4", before=around)
    assert outcomes(checked(sandbox, document, "    return g(x)\n", after="\n\nwhile True:\n    pass\n")) == [
        ("passed", "")
    ]


def test_each_example_has_a_verdict_however_the_others_end(sandbox: Sandbox):
    document = documented("f(1) == 1\nf(2) == 4\nf(3) == 9\nf(4) == 5")
    body = "    import os\n    if x == 2:\n        os._exit(0)\n    return x * x\n"
    assert outcomes(checked(sandbox, document, body)) == [
        ("passed", ""),
        ("failed", "ended without a verdict (exit status 0)"),
        ("passed", ""),
        ("failed", "got 16"),
    ]


def test_an_endless_loop_fails_its_example_and_the_next_are_not_checked(sandbox: Sandbox):
    document = documented("f(1) == 1\nf(2) == 4\nf(3) == 9")
    body = "    while x == 2:\n        pass\n    return x * x\n"
    assert outcomes(checked(sandbox, document, body, limits=HURRIED)) == [
        ("passed", ""),
        ("failed", "timed out"),
        ("not checked", "not reached"),
    ]


def test_what_the_deadline_ends_is_not_checked(sandbox: Sandbox):
    document = documented("f(1) == 1\nf(2) == 4")
    late = checked(sandbox, document, "    while x == 2:\n        pass\n    return x\n", deadline_s=2.0)
    assert outcomes(late)[1] == ("not checked", "not reached")
    past = checked(sandbox, document, "    return x * x\n", deadline_s=-1.0)
    assert {one.outcome for one in past} == {"not checked"}
    assert {one.outcome for one in checked(sandbox, document, "    return x * x\n")} == {"passed"}


def test_a_check_waits_for_a_worker_until_its_deadline():
    document = documented("f(2) == 4")
    examples = read_examples(document, len(document))
    right = Candidate(document, len(document), "    return 2 * x\n")
    endless = Program("def f(): pass", "def check(candidate):\n    while True: pass\n", "f")
    with open_sandbox(limits=PATIENT, workers=1) as opened:
        opened.submit(endless, Limits(timeout_s=1.5))
        assert outcomes(check(opened, examples, right, limits=HURRIED)) == [("passed", "")]
        opened.submit(endless, PATIENT)
        late = check(opened, examples, right, deadline=time.monotonic() + 0.1)
        assert outcomes(late) == [("not checked", "not reached")]
    assert outcomes(check(opened, examples, right)) == [("not checked", "not reached")]


def test_some_examples_may_need_what_cannot_be_run(sandbox: Sandbox):
    document = documented(
        "f(2) == 4\nf(LIMIT) == 6\nf(N_ROWS) == 8", before="LIMIT = 3\nN_ROWS = connect()\n"
    )
    assert read_examples(document, len(document)).examples[1].text == "f(LIMIT) == 6"
    assert [one.outcome for one in checked(sandbox, document, "    return 2 * x\n")] == [
        "passed",
        "passed",
        "not checked",
    ]


def test_methods_and_async_functions(sandbox: Sandbox):
    method = (
        "class Stack:\n    def __init__(self):\n        self.items = []\n\n    def push(self, x):\n"
        '        """\n        >>> s = Stack()\n        >>> s.push(2)\n'
        '        >>> s.items\n        [2]\n        """\n'
    )
    assert outcomes(checked(sandbox, method, "        self.items.append(x)\n")) == [("passed", "")]
    assert outcomes(checked(sandbox, method, "        self.items = x\n")) == [("failed", "got 2")]
    docstring = ">>> asyncio.run(f(2))\n4\n>>> await f(3)\n6"
    document = documented(docstring, "async def f(x):", "import asyncio\n\n\n")
    right = "    await asyncio.sleep(0.001)\n    return 2 * await asyncio.to_thread(abs, x)\n"
    assert outcomes(checked(sandbox, document, right)) == [("passed", "")] * 2
    assert outcomes(checked(sandbox, document, "    return x\n")) == [
        ("failed", "got 2"),
        ("failed", "got 3"),
    ]


def test_a_body_within_an_unfinished_function_is_not_blamed(sandbox: Sandbox):
    document = documented("f(2) == 4")
    after = "\n    return (\n"
    assert [one.outcome for one in checked(sandbox, document, "    x = 2", after=after)] == ["not checked"]
    assert [one.outcome for one in checked(sandbox, document, "    x = (", after="\n")] == ["failed"]


def test_the_summary_says_what_became_of_the_examples(sandbox: Sandbox):
    document = documented("f(2) == 4\nf(3) == 6\nf(0) == 0")
    said = {
        body: checked(sandbox, document, f"    {body}\n").summary()
        for body in ("return 2 * x", "return x", "import no_such_module")
    }
    assert said == {
        "return 2 * x": "3 of 3 examples pass",
        "return x": "example `f(2) == 4` fails: got 2",
        "import no_such_module": (
            "no example checked: raised ModuleNotFoundError: No module named 'no_such_module'"
        ),
    }


def test_reports_of_a_test_survive_a_bad_end(sandbox: Sandbox):
    test = (
        "def check(candidate):\n    yield 'one'\n    candidate(1)\n    yield 'two'\n"
        "    candidate(2)\n    yield 'three'\n"
    )
    body = "import os\ndef f(x):\n    if x == 2: os._exit(5)\n"
    result = sandbox.run(Program(body, test, "f"))
    assert (result.passed, result.error, result.reports) == (
        False,
        "ended without a verdict (exit status 5)",
        ("one", "two"),
    )
    whole = sandbox.run(Program("def f(x): pass", test, "f"))
    assert (whole.passed, whole.reports) == (True, ("one", "two", "three"))
    late = sandbox.run(Program("def f(x):\n    while x == 2: pass", test, "f"), HURRIED)
    assert (late.error, late.reports) == ("timed out", ("one", "two"))
    long = sandbox.run(Program(body, "def check(candidate):\n    yield 'x' * 5000\n", "f"))
    assert (long.error, long.reports) == ("a report of the test is too long", ())


@pytest.mark.parametrize("body", ["    raise ValueError('\\ud800')\n", "    return '\\ud800'\n"])
def test_half_of_a_surrogate_pair_is_told_in_text_that_can_be_written(sandbox: Sandbox, body: str):
    ((outcome, detail),) = outcomes(checked(sandbox, documented(">>> f(2)\n4"), body))
    assert outcome == "failed"
    assert "ud800" in detail
    detail.encode()
