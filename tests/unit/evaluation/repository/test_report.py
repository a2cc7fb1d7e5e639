"""A run as JSON, and read back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from copilot_server.errors import DataError
from copilot_server.evaluation.repository.report import FORMAT, is_repository_report, read_done, to_json
from tests.support.repositories import a_report, an_outcome, done

TASKS = (
    done("a.py", an_outcome(exact=True, keys=3), an_outcome(context="on", shown=False)),
    done("b.py", an_outcome(), an_outcome(context="on", text="x\x1b[31m")),
)


def test_the_summary_comes_first():
    values = to_json(a_report(*TASKS))
    assert list(values)[:4] == ["format", "benchmark", "model", "summary"]
    assert list(values)[-1] == "tasks"
    assert values["summary"][0]["name"] == "exact first line"


def test_a_task_has_what_a_gate_is_fitted_on():
    (first, _) = to_json(a_report(*TASKS))["tasks"]
    assert first["features"] == {"scope": "line"}
    answer = first["answers"][0]
    assert answer["exact"] is True
    assert answer["confidence"]["mean_logprob"] == -0.3
    assert answer["suggested"] == "text"


def test_it_is_strict_json():
    text = json.dumps(to_json(a_report(*TASKS)), allow_nan=False)
    assert json.loads(text)["tasks"][0]["id"] == "a.py:2 any-line"


def test_it_can_be_read_back(tmp_path: Path):
    path = tmp_path / "report.json"
    path.write_text(json.dumps(to_json(a_report(*TASKS)), indent=1))
    assert is_repository_report(path)
    model, tasks = read_done(path)
    assert model == "tiny"
    assert [one.outcomes for one in tasks] == [one.outcomes for one in TASKS]
    assert [one.task.removed for one in tasks] == ["x + 1", "x + 1"]


@pytest.mark.parametrize(
    "change",
    [{"format": FORMAT + 1}, {"benchmark": "humaneval"}, {"tasks": [{}]}, {"tasks": 3}, {"tasks": [[]]}],
)
def test_what_is_no_such_report_is_an_error(tmp_path: Path, change: dict[str, Any]):
    path = tmp_path / "report.json"
    path.write_text(json.dumps(to_json(a_report(*TASKS)) | change))
    with pytest.raises(DataError, match=r"not a report"):
        read_done(path)


def test_a_file_that_is_no_json_or_not_there(tmp_path: Path):
    (tmp_path / "text").write_text("no json")
    assert not is_repository_report(tmp_path / "text")
    assert not is_repository_report(tmp_path / "gone")
    for name in ("text", "gone"):
        with pytest.raises(DataError):
            read_done(tmp_path / name)
