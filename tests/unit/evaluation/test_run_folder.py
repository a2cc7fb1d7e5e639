"""The folder of a run: no sample is lost or duplicated, and only the same run resumes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from copilot_server.errors import ConfigError, DataError
from copilot_server.evaluation.run_folder import RUN_FILE, RunFolder, open_run
from copilot_server.evaluation.sampling import plan_requests
from copilot_server.evaluation.types import Sample, Task

IDENTITY = {"model": "a", "seed": 0, "top_p": 0.95}


def task(name: str) -> Task:
    return Task(name, name, "def f():\n", "", "    pass\n", "f", "def check(f): pass")


def sample(name: str, index: int, temperature: float = 0.2) -> Sample:
    return Sample(name, index, temperature, f"{name} {index}\u2028", "fim", "stop", 0, -0.5, 3)


def test_samples_are_there_when_the_run_resumes(tmp_path: Path):
    samples = [sample("a", 0), sample("a", 1), sample("a", 0, 0.8)]
    with open_run(tmp_path / "new" / "run", IDENTITY) as folder:
        assert folder.add(samples) == samples
    with open_run(tmp_path / "new" / "run", IDENTITY) as folder:
        assert list(folder.samples.values()) == samples
        assert folder.add([*samples, sample("b", 0)]) == [sample("b", 0)]
    lines = (tmp_path / "new" / "run" / "samples_T0.2.jsonl").read_text().splitlines()
    assert [json.loads(line)["task_id"] for line in lines] == ["a", "a", "b"]
    assert (tmp_path / "new" / "run" / "samples_T0.8.jsonl").exists()


def test_without_a_folder_samples_are_kept_in_memory():
    folder = RunFolder(None)
    assert folder.add([sample("a", 0)]) == [sample("a", 0)]
    assert folder.add([sample("a", 0)]) == []


@pytest.mark.parametrize("cut", [1, 5, 40])
def test_an_incomplete_line_is_removed_and_sampled_again(tmp_path: Path, cut: int):
    with open_run(tmp_path, IDENTITY) as folder:
        folder.add([sample("a", 0), sample("a", 1)])
    file = tmp_path / "samples_T0.2.jsonl"
    whole = file.read_bytes()
    file.write_bytes(whole[:-cut])
    with open_run(tmp_path, IDENTITY) as folder:
        assert [one.index for one in folder.samples.values()] == [0]
        folder.add([sample("a", 1)])
    assert file.read_bytes() == whole


def test_a_broken_line_in_the_middle_is_an_error(tmp_path: Path):
    with open_run(tmp_path, IDENTITY) as folder:
        folder.add([sample("a", 0)])
    file = tmp_path / "samples_T0.2.jsonl"
    file.write_text("{broken\n" + file.read_text())
    with pytest.raises(DataError, match="line 1, is not JSON"), open_run(tmp_path, IDENTITY):
        pass


def test_a_different_run_is_refused(tmp_path: Path):
    with open_run(tmp_path, IDENTITY):
        pass
    with (
        pytest.raises(ConfigError, match="seed was 0, not 1") as caught,
        open_run(tmp_path, {**IDENTITY, "seed": 1}),
    ):
        pass
    assert "another folder" in caught.value.remedy
    with open_run(tmp_path, IDENTITY):
        pass


@pytest.mark.parametrize("content", ["{", "[]", "3"])
def test_a_malformed_run_file_is_an_error(tmp_path: Path, content: str):
    (tmp_path / RUN_FILE).write_text(content)
    with pytest.raises(DataError), open_run(tmp_path, IDENTITY):
        pass


def test_two_runs_at_the_same_time_are_refused(tmp_path: Path):
    with (
        open_run(tmp_path, IDENTITY),
        pytest.raises(ConfigError, match="Another run"),
        open_run(tmp_path, IDENTITY),
    ):
        pass


def test_a_folder_that_cannot_be_made_is_an_error(tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="cannot be kept"), open_run(tmp_path / "file", IDENTITY):
        pass


def test_a_request_is_missing_until_all_its_samples_are_here():
    requests = plan_requests([task("a"), task("b")], [0.2, 0.8], 2)
    assert len(requests) == 4
    folder = RunFolder(None, [sample("a", 0), sample("a", 1), sample("b", 1)])
    assert [(request.task.task_id, request.temperature) for request in folder.missing(requests)] == [
        ("a", 0.8),
        ("b", 0.2),
        ("b", 0.8),
    ]
