"""The tuning: what is measured at the first start, and what is remembered."""

from __future__ import annotations

from pathlib import Path

import pytest

from copilot_server.engine.backends.cpu import tuning as module
from copilot_server.engine.backends.cpu.tuning import Tuning, tune
from copilot_server.engine.measurements import OtherPrograms
from tests.support.cpu_runner import open_runner


def test_what_was_measured_is_remembered_for_each_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("COPILOT_SERVER_HOME", str(tmp_path))
    measured = []

    def measure(_make: object, threads: int) -> Tuning:
        measured.append(threads)
        return Tuning(threads, 0.02, 100.0)

    monkeypatch.setattr(module, "_measure", measure)
    monkeypatch.setattr(OtherPrograms, "share", lambda _: 0.0)
    make = pytest.fail
    assert tune(make, key="one", threads=3) == tune(make, key="one", threads=3) == Tuning(3, 0.02, 100.0)
    assert measured == [3]
    tune(make, key="two", threads=3)
    tune(make, key="one", threads=4)
    assert measured == [3, 3, 4]


def test_the_faster_of_two_that_were_measured_beside_other_programs_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("COPILOT_SERVER_HOME", str(tmp_path))
    speeds = [100.0, 90.0, 200.0]
    monkeypatch.setattr(module, "_measure", lambda _make, threads: Tuning(threads, 0.02, speeds.pop(0)))
    monkeypatch.setattr(OtherPrograms, "share", lambda _: 0.5)
    tuned = [tune(pytest.fail, key="one", threads=3) for _ in range(4)]
    assert [one.reading_speed_tok_s for one in tuned] == [100.0, 100.0, 200.0, 200.0]


def test_a_real_runner_is_measured(tmp_path: Path, tiny_model_dir: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("COPILOT_SERVER_HOME", str(tmp_path))
    tuned = tune(lambda threads: open_runner(tiny_model_dir, threads=threads), key="tiny")
    assert tuned.threads >= 1
    assert tuned.step_s > 0
    assert tuned.reading_speed_tok_s > 0
    assert tuned.step_times_s == (tuned.step_s, 1 / tuned.reading_speed_tok_s)
