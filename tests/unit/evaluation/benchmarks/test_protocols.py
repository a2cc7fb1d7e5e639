"""The prompt protocols: the same tasks, and an explanation where verdicts differ."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import pytest

from copilot_server.evaluation.benchmarks import protocols
from copilot_server.evaluation.problems import load_problems
from copilot_server.evaluation.types import Checked, Sample, Task
from copilot_server.sandbox import ProgramResult

TASKS = protocols.tasks(load_problems().problems)
HOSTILE = "<script>alert(1)</script>"


def checked(failing: dict[str, str], tasks: Sequence[Task] = TASKS, completion: str = "x") -> list[Checked]:
    """All samples pass except those in ``failing``, which have the given errors."""
    return [
        Checked(
            Sample(
                task.task_id,
                0,
                0.0,
                completion,
                protocol="chat-prefill" if task.protocol == "auto" else task.protocol,
            ),
            ProgramResult(task.task_id not in failing, failing.get(task.task_id, ""), 0.0),
        )
        for task in tasks
    ]


def note(notes: Sequence[str], name: str) -> str:
    return next(one for one in notes if one.startswith(name))


def test_tasks_differ_only_in_their_protocol():
    assert Counter(task.protocol for task in TASKS) == dict.fromkeys(
        ("auto", "causal", "chat-prefill", "fim"), 164
    )
    assert len({task.task_id for task in TASKS}) == len(TASKS)
    assert len({(task.problem_id, task.prefix, task.suffix) for task in TASKS}) == 164


def test_differences_are_paired_with_what_is_served():
    failing = {f"HumanEval/{n}/causal": "AssertionError" for n in range(12)} | {"HumanEval/20/served": "x"}
    scores = {score.variant: score for score in protocols.scores(TASKS, checked(failing))}
    assert list(scores) == ["causal", "chat-prefill", "fim"]
    assert scores["causal"].value == pytest.approx(11 / 164)
    assert scores["causal"].low < scores["causal"].value < scores["causal"].high
    assert scores["causal"].note.startswith("gained 1, lost 12 of 164; exact McNemar test: p = 0.0034")
    assert scores["fim"].value == pytest.approx(-1 / 164)


def test_notes_describe_the_prompts_and_the_differences_between_verdicts():
    failing = {f"HumanEval/{n}/causal": "AssertionError: x" for n in range(12)}
    failing["HumanEval/30/causal"] = "timed out"
    notes = protocols.notes(TASKS, checked(failing))
    assert notes[0] == "Served: prompted with chat-prefill (164)."
    assert "gained 0, lost 13 of 164; exact McNemar test: p = 0.00024" in note(notes, "causal")
    assert "Errors of the lost ones: AssertionError 12, timed out 1." in note(notes, "causal")
    assert "Its verdicts equal those of what is served." in note(notes, "fim")
    assert len(notes) == 4


def test_notes_contain_no_text_of_the_model():
    failing = {"HumanEval/0/fim": f"{HOSTILE}: {HOSTILE}", "HumanEval/1/fim": "print: boo"}
    said = note(protocols.notes(TASKS, checked(failing, completion=HOSTILE)), "fim")
    assert "Errors of the lost ones: other 2." in said
    assert "script" not in said


def test_failures_without_an_error_have_a_kind_of_their_own():
    failing = {"HumanEval/0/fim": "SyntaxError"}
    assert "empty completion 1" in note(protocols.notes(TASKS, checked(failing, completion="")), "fim")


def test_a_single_protocol_is_compared_with_nothing():
    alone = [task for task in TASKS if task.variant == "fim"]
    assert protocols.scores(alone, checked({}, alone)) == []
    assert protocols.notes(alone, checked({}, alone)) == []
