"""The tuning: which draft length pays at given costs of a step, and what is remembered."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from copilot_server.engine.backends.cpu import tuning as module
from copilot_server.engine.backends.cpu.tuning import Tuning, longest_worthwhile_draft, tune
from tests.support.cpu_runner import open_runner

#: The cost of a step by its tokens, in tiles of three rows with AVX2 and of six with AVX-512.
AVX2 = {1: 37.7, 3: 43.0, 4: 75.2, 6: 72.4, 8: 110.9}
AVX512 = {1: 20.0, 3: 21.0, 4: 22.0, 6: 24.0, 8: 31.0, 10: 33.0, 12: 35.0, 16: 50.0}


@pytest.mark.parametrize(
    ("costs", "longest"), [(AVX2, 2), (AVX512, 11), ({1: 1.0, 3: 3.0}, 0)], ids=["avx2", "avx512", "never"]
)
def test_the_longest_draft_that_pays(costs: dict[int, float], longest: int):
    assert longest_worthwhile_draft(lambda tokens: costs[tokens]) == longest


def test_drafts_pay_however_much_a_step_costs_if_it_always_costs_the_same():
    assert longest_worthwhile_draft(lambda _: 1.0) == module.DRAFTS[-1]


def test_what_was_measured_is_remembered_for_each_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("COPILOT_SERVER_HOME", str(tmp_path))
    measured = []

    def measure(_make: object, threads: int) -> Tuning:
        measured.append(threads)
        return Tuning(threads, 5)

    monkeypatch.setattr(module, "_measure", measure)
    monkeypatch.setattr(module.OtherPrograms, "share", lambda _: 0.0)
    make = pytest.fail
    assert tune(make, key="one", threads=3) == tune(make, key="one", threads=3) == Tuning(3, 5)
    assert measured == [3]
    tune(make, key="two", threads=3)
    tune(make, key="one", threads=4)
    assert measured == [3, 3, 4]
    for path in (tmp_path / "tuning").iterdir():
        path.write_text("[]")
    tune(make, key="one", threads=3)
    assert measured == [3, 3, 4, 3]


def test_what_was_measured_beside_other_programs_is_measured_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("COPILOT_SERVER_HOME", str(tmp_path))
    shares, speeds = [0.5, 0.4, 0.0], [100.0, 90.0, 200.0, 300.0]

    def measure(_make: object, threads: int) -> Tuning:
        return Tuning(threads, 5, speeds.pop(0))

    monkeypatch.setattr(module, "_measure", measure)
    monkeypatch.setattr(module.OtherPrograms, "share", lambda _: shares.pop(0))
    tuned = [tune(pytest.fail, key="one", threads=3) for _ in range(4)]
    # The faster of two disturbed ones counts; what was measured undisturbed is not measured again.
    assert [one.reading_speed_tok_s for one in tuned] == [100.0, 100.0, 200.0, 200.0]


def test_a_machine_that_is_always_busy_is_measured_a_few_times_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("COPILOT_SERVER_HOME", str(tmp_path))
    measured = []

    def measure(_make: object, threads: int) -> Tuning:
        measured.append(threads)
        return Tuning(threads, 5, 100.0)

    monkeypatch.setattr(module, "_measure", measure)
    monkeypatch.setattr(module.OtherPrograms, "share", lambda _: 0.5)
    for _ in range(6):
        tune(pytest.fail, key="one", threads=3)
    assert len(measured) == module.ATTEMPTS


def test_the_share_of_other_programs_is_a_share():
    others = module.OtherPrograms()
    deadline = time.process_time() + 0.3
    while time.process_time() < deadline:
        pass
    assert 0.0 <= others.share() <= 1.0


def test_a_short_disturbance_does_not_end_the_search():
    disturbed = iter([True])
    costs = dict.fromkeys((1, *(1 + drafts for drafts in module.DRAFTS)), 1.0)

    def step_s(tokens: int) -> float:
        return 9.0 if tokens == 4 and next(disturbed, False) else costs[tokens]

    assert longest_worthwhile_draft(step_s) == module.DRAFTS[-1]


def test_a_real_runner_is_measured(tmp_path: Path, tiny_model_dir: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("COPILOT_SERVER_HOME", str(tmp_path))
    tuned = tune(lambda threads: open_runner(tiny_model_dir, threads=threads), key="tiny")
    assert tuned.threads >= 1
    assert tuned.draft_length in (0, *module.DRAFTS)
    assert tuned.reading_speed_tok_s is not None
    assert tuned.reading_speed_tok_s > 0
