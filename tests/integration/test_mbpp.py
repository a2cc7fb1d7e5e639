"""MBPP's lines as problems of HumanEval's: made-up ones, in the real sandbox."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from copilot_server.completion.examples import Candidate, check, read_examples
from copilot_server.evaluation.problems import Problem, load_problem_file
from copilot_server.sandbox import Limits, open_sandbox
from tests.support.paths import REPOSITORY
from tests.support.patience import PROGRAM_S


def row(number: int, code: str, *claims: str, text: str = "Write it.", setup: str = "") -> dict[str, Any]:
    return {
        "task_id": number,
        "text": text,
        "code": code.replace("\n", "\r\n"),
        "test_list": [f"assert {one}" for one in claims],
        "test_setup_code": setup,
        "challenge_test_list": [],
    }


ROWS = [
    row(10, "def early(x):\n\treturn x", "early(1) == 1", "early(2) == 2"),
    row(
        11,
        "import math\nK = 2\ndef helper(x):\n\treturn K * x\n"
        "def twice(x, y=0): \n\treturn helper(x) + math.floor(y)",
        "twice(2) == 4",
        "twice(3, 1.5) == 7",
        "twice(1,0)==2",
        text='Write a function to double \\n a "number" (""").',
    ),
    row(
        12, "def joined(words):\n  return ' '.join(words)", 'joined (["a", "b"]) == "a b"', 'joined([]) == ""'
    ),
    row(13, "def single(x):\n  return x", "single(1) == 1"),
    row(14, "def needs(x):\n  return x", "needs(1) == 1", "needs(2) == 2", setup="n = Node()"),
]


@pytest.fixture(scope="module")
def problems(tmp_path_factory: pytest.TempPathFactory) -> tuple[Problem, ...]:
    folder = tmp_path_factory.mktemp("mbpp")
    (folder / "mbpp.jsonl").write_text("".join(f"{json.dumps(one)}\n" for one in ROWS), "utf-8")
    command = [sys.executable, "-m", "benchmarks.mbpp", str(folder / "mbpp.jsonl"), str(folder / "problems")]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("2 of 4 problems")
    return load_problem_file(folder / "problems").problems


def test_the_prompt_shows_the_first_assertion_and_hides_the_others(problems: tuple[Problem, ...]):
    assert [one.task_id for one in problems] == ["MBPP/11", "MBPP/12"]
    assert problems[0].prompt == (
        "import math\n\n\ndef twice(x, y=0):\n"
        '    """Write a function to double \\\\n a "number" (\'\'\').\n\n    twice(2) == 4\n    """\n'
    )
    for one in problems:
        assert len(read_examples(one.prompt, len(one.prompt))) == 1
    assert "1.5" not in problems[0].prompt
    assert "1.5" in problems[0].test


def test_solutions_pass_and_wrong_ones_fail(problems: tuple[Problem, ...]):
    wrong = "    return None\n"
    # It passes what the prompt shows, and no more.
    half = "    return 4\n"
    with open_sandbox(limits=Limits(timeout_s=PROGRAM_S)) as sandbox:
        for one in problems:
            task = one.task()
            assert sandbox.run(task.program(one.canonical_solution)).error == ""
            assert not sandbox.run(task.program(wrong)).passed
        task, examples = problems[0].task(), read_examples(problems[0].prompt, len(problems[0].prompt))
        assert not sandbox.run(task.program(half)).passed
        assert len(check(sandbox, examples, Candidate(task.prefix, len(task.prefix), half)).passed) == 1
        assert len(check(sandbox, examples, Candidate(task.prefix, len(task.prefix), wrong)).failed) == 1
