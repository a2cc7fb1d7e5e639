"""The tuning: which draft length pays at given costs of a step, and what is remembered."""

from __future__ import annotations

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


def test_a_real_runner_is_measured(tmp_path: Path, tiny_model_dir: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("COPILOT_SERVER_HOME", str(tmp_path))
    tuned = tune(lambda threads: open_runner(tiny_model_dir, threads=threads), key="tiny")
    assert tuned.threads >= 1
    assert tuned.draft_length in (0, *module.DRAFTS)
    assert tuned.reading_speed_tok_s is not None
    assert tuned.reading_speed_tok_s > 0
