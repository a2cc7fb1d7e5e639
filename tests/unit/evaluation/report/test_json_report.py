"""A report goes to JSON and comes back the same; what is no report is refused, with a remedy."""

from __future__ import annotations

import copy
import json
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from copilot_server.errors import DataError
from copilot_server.evaluation.report.json_report import from_json, read_report, to_json
from copilot_server.evaluation.types import Report
from copilot_server.sandbox import ProgramResult
from tests.support.reports import a_report, checked, humaneval_tasks, of_samples


def _small() -> Report:
    return a_report(humaneval_tasks()[:2], samples=2, temperatures=(0.2, 0.8))


def _through_json(report: Report) -> Report:
    return from_json(json.loads(json.dumps(to_json(report))))


def test_comes_back_the_same():
    report = a_report(samples=2, temperatures=(0.2, 0.8))
    assert _through_json(report) == report


def test_what_may_be_missing_comes_back_missing():
    task = humaneval_tasks()[0]
    drawn = checked(task, 0, None)
    remote = replace(drawn.sample, mean_logprob=None, tokens=None)
    report = of_samples([task], [replace(drawn, sample=remote, upstream=None)], temperatures=())
    assert _through_json(replace(report, parameters=None)) == replace(report, parameters=None)


@given(st.text(st.characters(codec=None)), st.text())
def test_any_text_comes_back_the_same(completion: str, error: str):
    task = humaneval_tasks()[0]
    drawn = checked(task, 0, 0.0)
    result = ProgramResult(passed=False, error=error or "failed", wall_s=0.1, output=completion)
    one = replace(drawn, sample=replace(drawn.sample, completion=completion), result=result)
    report = of_samples([task], [one])
    assert _through_json(report) == report


def test_the_summary_comes_first_and_says_pass_at_k():
    report = a_report(samples=2, temperatures=(0.2, 0.8), ks=(1, 2))
    values = to_json(report)
    assert list(values)[:5] == ["format", "benchmark", "model", "pass_at_k", "scores"]
    scores = {(score.temperature, score.name): score.value for score in report.scores}
    assert values["pass_at_k"] == {
        "0.2": {"1": scores[0.2, "pass@1"], "2": scores[0.2, "pass@2"]},
        "0.8": {"1": scores[0.8, "pass@1"], "2": scores[0.8, "pass@2"]},
    }


def test_scores_of_variants_are_not_in_the_summary():
    tasks = [replace(task, variant="CRLF") for task in humaneval_tasks()[:3]]
    assert to_json(a_report(tasks))["pass_at_k"] == {}


def test_reads_a_file(tmp_path: Path):
    path = tmp_path / "report.json"
    path.write_text(json.dumps(to_json(_small())), "utf-8")
    assert read_report(path) == _small()


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        (b"", "is not JSON"),
        (b"\xff\xfe", "is not JSON"),
        (b"[" * 100_000, "is not JSON"),
        (b'{"format": NaN}', "is not JSON"),
        (b"[1, 2]", "is not an object"),
        (b"{}", "does not say its format"),
        (b'{"format": 2}', "is of format 2"),
        (b'{"format": true}', "is of format True"),
        (b'{"format": 1}', "is not a report"),
        (b'{"task_id": "HumanEval/0", "completion": ""}', "does not say its format"),
    ],
)
def test_what_is_not_a_report_is_refused(tmp_path: Path, data: bytes, complaint: str):
    path = tmp_path / "report.json"
    path.write_bytes(data)
    with pytest.raises(DataError, match=complaint) as refused:
        read_report(path)
    assert str(path) in refused.value.message
    assert refused.value.remedy


def test_a_missing_file_is_refused(tmp_path: Path):
    with pytest.raises(DataError, match="cannot be read"):
        read_report(tmp_path / "none.json")


def _changed(path: str, value: object) -> dict[str, Any]:
    values = json.loads(json.dumps(to_json(_small())))
    *way, last = (int(step) if step.isdigit() else step for step in path.split("."))
    container = values
    for step in way:
        container = container[step]
    container[last] = value
    return values


@pytest.mark.parametrize(
    ("path", "value", "complaint"),
    [
        ("samples.1.result.passed", "true", r"expected bool.*samples\[1\].result.passed"),
        ("samples.0.sample.index", 1.5, "expected int"),
        ("samples.0.sample.index", True, "expected int"),
        ("scores.0.value", float("inf"), "expected float"),
        ("protocol.check", "lenient", "protocol.check"),
        ("protocol.temperatures", "02", "expected tuple"),
        ("notes", "text", "expected tuple"),
        ("samples", {}, "expected tuple"),
        ("versions", ["python"], "versions"),
        ("timing", None, "timing"),
        ("surplus", 1, "extra fields"),
        ("tasks.0.surplus", 1, "extra fields"),
        ("samples.0.sample.task_id", "HumanEval/99", "a sample belongs to no task"),
        ("samples.1.sample.index", 0, "two samples have one task"),
        ("tasks.1.task_id", "HumanEval/0", "two tasks have one id"),
    ],
)
def test_what_is_wrong_is_named(path: str, value: object, complaint: str):
    assert from_json(_changed("command", "another")), "the change itself is harmless"
    with pytest.raises(DataError, match=complaint):
        from_json(_changed(path, value))


def test_a_verdict_that_contradicts_itself_is_refused():
    values = to_json(_small())
    values["samples"][0]["result"] |= {"passed": True, "error": "AssertionError"}
    with pytest.raises(DataError, match="passed with an error"):
        from_json(values)


_ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=2),
    max_leaves=4,
)
_VALUES = json.loads(json.dumps(to_json(_small())))


def _steps_into(values: dict[str, Any] | list[Any]) -> list[tuple[Any, Any]]:
    steps = values.items() if isinstance(values, dict) else enumerate(values)
    return [
        container
        for step, inner in steps
        for container in ((values, step), *(_steps_into(inner) if isinstance(inner, dict | list) else ()))
    ]


@given(st.data())
def test_any_change_gives_a_report_or_our_error(data: st.DataObject):
    values = copy.deepcopy(_VALUES)
    container, step = data.draw(st.sampled_from(_steps_into(values)))
    container[step] = data.draw(_ANYTHING)
    with suppress(DataError):
        assert isinstance(from_json(values), Report)


def test_a_report_of_an_earlier_version_can_be_read():
    values = json.loads(json.dumps(to_json(_small())))
    for name in ("notices", "instruction_set", "sandboxes_passed_over"):
        assert not values.pop(name)
    assert from_json(values) == _small()
