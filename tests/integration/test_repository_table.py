"""The table of several repositories, from reports of the self-test over a repository."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks import repository_table
from copilot_server.evaluation.repository.report import to_json
from copilot_server.evaluation.repository.types import Done, Outcome
from tests.support.repositories import a_report, an_outcome, done


def written(path: Path, *tasks: Done) -> str:
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(to_json(a_report(*tasks))), encoding="utf-8")
    return str(path)


def withheld(outcome: Outcome) -> Outcome:
    """The same, right and withheld by the gate."""
    answer = replace(outcome.answer, offered=True, shown=False)
    return replace(outcome, exact=False, right=True, answer=answer)


def test_each_step_has_the_tasks_that_both_versions_have(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    before = [written(tmp_path / "before" / f"{name}.json", done("a.py", an_outcome())) for name in "xy"]
    with_it = an_outcome(context="on", exact=True)
    after = [
        written(tmp_path / "after" / "x.json", done("a.py", an_outcome(exact=True), with_it)),
        written(
            tmp_path / "after" / "y.json",
            done("a.py", an_outcome(), withheld(with_it)),
            done("b.py", an_outcome(exact=True), with_it),  # the earlier version has no such task
        ),
    ]
    monkeypatch.setattr(sys, "argv", ["repository_table", "--before", *before, "--after", *after])
    repository_table.main()
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("| any-line (2 tasks) |")
    exact = {cells[1].strip(): cells[2].split()[0] for line in lines[2:] if (cells := line.split("|"))[1:]}
    assert exact == {"before": "0.0", "without context": "50.0", "with context": "100.0", "as shown": "50.0"}


def test_a_gate_judges_the_answers_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    outcome = an_outcome(context="on", exact=True)
    likely, unlikely = (replace(outcome.answer, offered=True, probability=one) for one in (0.9, 0.01))
    tasks = [done("a.py", replace(outcome, answer=likely)), done("b.py", replace(outcome, answer=unlikely))]
    report = written(tmp_path / "after" / "x.json", *tasks)
    monkeypatch.setattr(sys, "argv", ["repository_table", "--after", report, "--gate", "qwen2.5-coder-0.5b"])
    repository_table.main()
    lines = capsys.readouterr().out.splitlines()
    shown = {cells[1].strip(): cells[3].split()[0] for line in lines if len(cells := line.split("|")) == 8}
    assert shown["any-line, high"] == "100.0"
    assert shown["any-line, medium"] == "50.0"
