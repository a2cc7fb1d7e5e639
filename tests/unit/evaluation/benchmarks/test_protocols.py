"""Protocols side by side: the same tasks, and a stated reason where verdicts differ."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import pytest

from copilot_server.evaluation.benchmarks import protocols
from copilot_server.evaluation.problems import load_problems
from copilot_server.evaluation.results import Checked, Sample
from copilot_server.evaluation.tasks import Task
from copilot_server.sandbox import ProgramResult

TASKS = protocols.tasks(load_problems().problems)
HOSTILE = "<script>alert(1)</script>"


def checked(failing: dict[str, str], tasks: Sequence[Task] = TASKS, completion: str = "x") -> list[Checked]:
    """All pass but those ``failing``, each with its error."""
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


def test_tasks_differ_only_in_how_the_model_is_asked():
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


def test_notes_say_what_is_shown_and_how_verdicts_differ():
    failing = {f"HumanEval/{n}/causal": "AssertionError: x" for n in range(12)}
    failing["HumanEval/30/causal"] = "timed out"
    notes = protocols.notes(TASKS, checked(failing))
    assert notes[0] == "Served: asked by chat-prefill (164)."
    assert "gained 0, lost 13 of 164; exact McNemar test: p = 0.00024" in note(notes, "causal")
    assert "What failed on those lost: AssertionError 12, timed out 1." in note(notes, "causal")
    assert "Its verdicts are those of what is served." in note(notes, "fim")
    assert len(notes) == 4


def test_notes_have_no_word_of_the_models():
    failing = {"HumanEval/0/fim": f"{HOSTILE}: {HOSTILE}", "HumanEval/1/fim": "print: boo"}
    said = note(protocols.notes(TASKS, checked(failing, completion=HOSTILE)), "fim")
    assert "What failed on those lost: other 2." in said
    assert "script" not in said


def test_failures_without_an_error_are_told_apart():
    failing = {"HumanEval/0/fim": "SyntaxError"}
    assert "nothing written 1" in note(protocols.notes(TASKS, checked(failing, completion="")), "fim")


def test_a_protocol_alone_has_nothing_to_be_compared_with():
    alone = [task for task in TASKS if task.variant == "fim"]
    assert protocols.scores(alone, checked({}, alone)) == []
    assert protocols.notes(alone, checked({}, alone)) == []
