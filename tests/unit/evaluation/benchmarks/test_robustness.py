"""Robustness: the changed prompts, and the drops, which are paired by problem."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import pytest

from copilot_server.evaluation.benchmarks import robustness
from copilot_server.evaluation.problems import load_problems
from copilot_server.evaluation.types import Checked, Sample, Score, Task
from copilot_server.sandbox import ProgramResult

PROBLEMS = load_problems().problems
ALL = robustness.tasks(PROBLEMS)
OWN = replace(
    PROBLEMS[0],
    task_id="Own/0",
    prompt='X = 1\n\n\ndef add_two(n):\n    """Add two – é.\n\n    >>> add_two(1)\n    3\n    """\n',
    canonical_solution="\n    if n:\n        return n + 2\n    return add_two(n)\n",
    entry_point="add_two",
    test="def check(candidate):\n    assert add_two is not None\n",
)


def of(variant: str) -> Task:
    return next(one for one in robustness.tasks([OWN]) if one.variant == variant)


def checked(tasks: Sequence[Task], failing: set[str], *, index: int = 0) -> list[Checked]:
    return [
        Checked(
            Sample(task.task_id, index, 0.0, "x"),
            ProgramResult(task.task_id not in failing, "x" * (task.task_id in failing), 0.0),
        )
        for task in tasks
    ]


def named(scores: Sequence[Score], name: str, variant: str = "") -> Score:
    return next(score for score in scores if (score.name, score.variant) == (name, variant))


class TestTasks:
    def test_every_problem_has_every_variant(self):
        assert Counter(task.variant for task in ALL) == dict.fromkeys(robustness.VARIANTS, 164)
        assert len({task.task_id for task in ALL}) == len({task.uri for task in ALL}) == len(ALL)

    def test_plain_is_the_problem(self):
        assert of("plain").prefix == OWN.prompt
        assert of("plain").task_id == "Own/0/plain"
        assert of("plain").problem_id == "Own/0"

    @pytest.mark.parametrize(
        ("variant", "prefix", "canonical"),
        [
            ("trailing-spaces", OWN.prompt + "    ", OWN.canonical_solution[5:]),
            ("CRLF", OWN.prompt.replace("\n", "\r\n"), OWN.canonical_solution.replace("\n", "\r\n")),
            (
                "tabs",
                'X = 1\n\n\ndef add_two(n):\n\t"""Add two – é.\n\n\t>>> add_two(1)\n\t3\n\t"""\n',
                "\n\tif n:\n\t\treturn n + 2\n\treturn add_two(n)\n",
            ),
            (
                "camel-case",
                OWN.prompt.replace("add_two", "addTwo"),
                OWN.canonical_solution.replace("add_two", "addTwo"),
            ),
            (
                "docstring-as-comments",
                "X = 1\n\n\ndef add_two(n):\n    # Add two – é.\n    #\n    # >>> add_two(1)\n    # 3\n",
                OWN.canonical_solution,
            ),
            ("docstring-missing", "X = 1\n\n\ndef add_two(n):\n", OWN.canonical_solution),
            (
                "mid-word",
                OWN.prompt + "\n    if n:\n        ret",
                "urn n + 2\n    return add_two(n)\n",
            ),
        ],
    )
    def test_variant(self, variant: str, prefix: str, canonical: str):
        assert (of(variant).prefix, of(variant).canonical) == (prefix, canonical)

    def test_camel_case_goes_through_the_test_too(self):
        task = of("camel-case")
        assert task.entry_point == "addTwo"
        assert task.test == OWN.test.replace("add_two", "addTwo")
        assert "addTwo" in task.setup

    def test_most_variants_change_every_problem(self):
        plain = {task.problem_id: task.prefix for task in ALL if task.variant == "plain"}
        changed = Counter(task.variant for task in ALL if task.prefix != plain[task.problem_id])
        # 41 names have one word.
        assert changed == {**dict.fromkeys(list(robustness.VARIANTS)[1:], 164), "camel-case": 123}

    def test_without_a_solution_only_the_word_to_cut_is_missing(self):
        bare = robustness.tasks([replace(OWN, canonical_solution="")])
        assert [task.variant for task in bare] == [name for name in robustness.VARIANTS if name != "mid-word"]
        assert {task.canonical for task in bare} == {""}
        tabs = next(task for task in bare if task.variant == "tabs")
        assert tabs.prefix == of("tabs").prefix

    def test_prompts_that_are_no_python_stay_as_they_are(self):
        odd = replace(OWN, prompt="Write a function (\n", canonical_solution="")
        for task in robustness.tasks([odd]):
            if task.variant.startswith("docstring"):
                assert task.prefix == odd.prompt


class TestScores:
    def test_drops_are_paired(self):
        tasks = [task for task in ALL if task.variant in ("plain", "tabs", "CRLF")]
        failing = {"HumanEval/0/plain"} | {f"HumanEval/{n}/tabs" for n in range(1, 11)}
        scores = robustness.drops(tasks, checked(tasks, failing))
        tabs = named(scores, "drop from plain", "tabs")
        assert tabs.value == pytest.approx(9 / 164)
        assert tabs.low < tabs.value < tabs.high
        assert tabs.note == "gained 1, lost 10 of 164; exact McNemar test: p = 0.012"
        crlf = named(scores, "drop from plain", "CRLF")
        assert crlf.value == pytest.approx(-1 / 164)
        assert "gained 1, lost 0" in crlf.note

    def test_worst_case_is_what_every_variant_solves(self):
        tasks = [task for task in ALL if task.variant in ("plain", "tabs", "CRLF")]
        failing = {"HumanEval/0/plain", "HumanEval/0/tabs", "HumanEval/1/CRLF"}
        worst = named(robustness.drops(tasks, checked(tasks, failing)), "worst-case pass@1")
        assert worst.value == pytest.approx(162 / 164)
        assert (worst.tasks, worst.temperature) == (164, 0.0)
        assert named(robustness.drops(tasks, checked(tasks, set())), "worst-case pass@1").value == 1.0

    def test_one_variant_alone_says_nothing_more(self):
        plain = [task for task in ALL if task.variant == "plain"]
        assert robustness.drops(plain, checked(plain, set())) == []

    def test_temperatures_are_kept_apart(self):
        tasks = [task for task in ALL if task.variant in ("plain", "tabs")]
        cold = checked(tasks, set())
        hot = [
            replace(one, sample=replace(one.sample, temperature=0.8))
            for one in checked(tasks, {task.task_id for task in tasks if task.variant == "tabs"})
        ]
        drops = [one for one in robustness.drops(tasks, cold + hot) if one.name == "drop from plain"]
        assert [(one.temperature, one.value) for one in drops] == [(0.0, 0.0), (0.8, 1.0)]
