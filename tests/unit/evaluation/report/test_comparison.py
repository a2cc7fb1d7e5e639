"""The comparison of two runs as a table and as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from copilot_server.evaluation.paired import mcnemar_exact
from copilot_server.evaluation.report.comparison import EXIT_WORSE, run
from copilot_server.evaluation.report.json_report import to_json
from copilot_server.evaluation.types import Report
from tests.support.reports import checked, humaneval_tasks, of_samples

TASKS = humaneval_tasks()[:40]


def _report(
    passed: Sequence[int], *, temperature: float | None = 0.0, tasks: Sequence[object] = TASKS
) -> Report:
    """A run with one sample of each task, which solves the tasks at these indices."""
    drawn = [
        checked(task, 0, temperature, failure=None if index in passed else 0)
        for index, task in enumerate(tasks)
    ]
    return of_samples(tasks, drawn, temperatures=() if temperature is None else (temperature,))


def _written(tmp_path: Path, *reports: Report) -> list[Path]:
    paths = [tmp_path / f"{name}.json" for name in "ab"]
    for path, report in zip(paths, reports, strict=True):
        path.write_text(json.dumps(to_json(report)), "utf-8")
    return paths


@pytest.mark.parametrize(("lost", "code"), [(0, 0), (5, 0), (6, EXIT_WORSE), (40, EXIT_WORSE)])
def test_fails_when_it_is_significantly_worse(tmp_path: Path, lost: int, code: int):
    # Six lost and none gained is p = 2 / 64, five is 2 / 32.
    a, b = _written(tmp_path, _report(range(40)), _report(range(lost, 40)))
    assert run(a, b, as_json=False, fail_if_worse=True) == code
    assert run(a, b, as_json=False) == 0
    assert run(b, a, as_json=False, fail_if_worse=True) == 0, "better is not worse"


def test_prints_a_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    a, b = _written(tmp_path, _report(range(20)), _report(range(2, 30)))
    run(a, b, as_json=False)
    output = capsys.readouterr().out
    for said in ("50.0%", "70.0%", "+20.0", "gained 10: HumanEval/20, HumanEval/21", "lost 2: HumanEval/0"):
        assert said in output
    assert f"{mcnemar_exact(10, 2):.4f}" in output
    assert "exact McNemar test" in output


def test_prints_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    a, b = _written(tmp_path, _report(range(20)), _report(range(2, 30)))
    run(a, b, as_json=True)
    output = json.loads(capsys.readouterr().out)
    assert output["a"]["file"] == str(a)
    assert output["worse"] is False
    assert output["rows"][0]["lost"] == ["HumanEval/0", "HumanEval/1"]
    assert output["rows"][0]["difference"]["p_value"] == mcnemar_exact(10, 2)


def test_names_from_files_do_not_reach_the_terminal_as_they_are(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    evil = "\x1b]0;stolen\x07[bold red]\u202e"
    task = replace(TASKS[0], task_id=evil, variant=evil)
    a, b = (_report(passed, tasks=[task]) for passed in ([], [0]))
    a = replace(a, started=evil, protocol=replace(a.protocol, model=evil, prompt=evil))
    run(*_written(tmp_path, a, b), as_json=False)
    output = capsys.readouterr().out
    assert "\x1b" not in output
    assert "\u202e" not in output
    assert r"gained 1: \x1b]0;stolen\x07[bold red]\u202e" in output
