"""The folder of a run: nothing is lost, nothing is twice, and nothing foreign is gone on from."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from copilot_server.errors import ConfigError, DataError
from copilot_server.evaluation.results import Sample
from copilot_server.evaluation.run_folder import RUN_FILE, RunFolder, open_run
from copilot_server.evaluation.sampling import CHUNK, Draw, Drawing, plan_draws
from copilot_server.evaluation.tasks import Task

ASKED = {"model": "a", "seed": 0, "top_p": 0.95}


def task(name: str) -> Task:
    return Task(name, name, "def f():\n", "", "    pass\n", "f", "def check(f): pass")


def sample(name: str, index: int, temperature: float = 0.2) -> Sample:
    return Sample(name, index, temperature, f"{name} {index}\u2028", "fim", "stop", 0, -0.5, 3)


def test_what_is_added_is_there_when_the_run_goes_on(tmp_path: Path):
    drawn = [sample("a", 0), sample("a", 1), sample("a", 0, 0.8)]
    with open_run(tmp_path / "new" / "run", ASKED) as folder:
        assert folder.add(drawn) == drawn
    with open_run(tmp_path / "new" / "run", ASKED) as folder:
        assert list(folder.samples.values()) == drawn
        assert folder.add([*drawn, sample("b", 0)]) == [sample("b", 0)]
    lines = (tmp_path / "new" / "run" / "samples_T0.2.jsonl").read_text().splitlines()
    assert [json.loads(line)["task_id"] for line in lines] == ["a", "a", "b"]
    assert (tmp_path / "new" / "run" / "samples_T0.8.jsonl").exists()


def test_without_a_folder_samples_are_kept_in_memory():
    folder = RunFolder(None)
    assert folder.add([sample("a", 0)]) == [sample("a", 0)]
    assert folder.add([sample("a", 0)]) == []


@pytest.mark.parametrize("cut", [1, 5, 40])
def test_a_torn_line_is_cut_off_and_drawn_again(tmp_path: Path, cut: int):
    with open_run(tmp_path, ASKED) as folder:
        folder.add([sample("a", 0), sample("a", 1)])
    file = tmp_path / "samples_T0.2.jsonl"
    whole = file.read_bytes()
    file.write_bytes(whole[:-cut])
    with open_run(tmp_path, ASKED) as folder:
        assert [one.index for one in folder.samples.values()] == [0]
        folder.add([sample("a", 1)])
    assert file.read_bytes() == whole


def test_a_broken_line_in_the_middle_is_an_error(tmp_path: Path):
    with open_run(tmp_path, ASKED) as folder:
        folder.add([sample("a", 0)])
    file = tmp_path / "samples_T0.2.jsonl"
    file.write_text("{broken\n" + file.read_text())
    with pytest.raises(DataError, match="line 1, is not JSON"), open_run(tmp_path, ASKED):
        pass


def test_a_run_of_something_else_is_refused(tmp_path: Path):
    with open_run(tmp_path, ASKED):
        pass
    with (
        pytest.raises(ConfigError, match="seed was 0, not 1") as caught,
        open_run(tmp_path, {**ASKED, "seed": 1}),
    ):
        pass
    assert "another folder" in caught.value.remedy
    with open_run(tmp_path, ASKED):
        pass


@pytest.mark.parametrize("content", ["{", "[]", "3"])
def test_a_run_file_that_is_none_is_an_error(tmp_path: Path, content: str):
    (tmp_path / RUN_FILE).write_text(content)
    with pytest.raises(DataError), open_run(tmp_path, ASKED):
        pass


def test_two_runs_at_a_time_are_refused(tmp_path: Path):
    with (
        open_run(tmp_path, ASKED),
        pytest.raises(ConfigError, match="Another run"),
        open_run(tmp_path, ASKED),
    ):
        pass


def test_a_folder_that_cannot_be_is_an_error(tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="cannot be kept"), open_run(tmp_path / "file", ASKED):
        pass


def test_a_draw_is_missing_until_all_its_samples_are_here():
    draws = plan_draws([task("a"), task("b")], [0.2, 0.8], 2)
    assert len(draws) == 4
    folder = RunFolder(None, [sample("a", 0), sample("a", 1), sample("b", 1)])
    assert [(draw.task.task_id, draw.temperature) for draw in folder.missing(draws)] == [
        ("a", 0.8),
        ("b", 0.2),
        ("b", 0.8),
    ]


def test_many_samples_are_drawn_in_chunks():
    draws = plan_draws([task("a")], [0.8], 2 * CHUNK + 3)
    assert [(draw.first, draw.count) for draw in draws] == [(0, CHUNK), (CHUNK, CHUNK), (2 * CHUNK, 3)]


def test_what_a_sample_hangs_on():
    """Seed, task, temperature and chunk; not how many are drawn beside it."""

    def seed(name: str = "a", temperature: float = 0.8, first: int = 0, count: int = 5, seed: int = 0) -> int:
        sampling = Drawing(seed, 0.95, 64, 32).sampling(Draw(task(name), temperature, first, count))
        assert sampling.n == count
        assert sampling.seed is not None
        return sampling.seed

    others = [seed("b"), seed(temperature=0.2), seed(first=CHUNK), seed(seed=1)]
    assert seed() == seed(count=9)
    assert len({seed(), *others}) == 5
