"""What is remembered of a machine, and when it is measured again."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from copilot_server.config import Settings, SpeedSettings
from copilot_server.engine.backends.cpu import speed, tuning
from copilot_server.engine.backends.cpu.loading import tuning_key
from copilot_server.engine.backends.cpu.tuning import Tuning, tune
from copilot_server.engine.measurements import ATTEMPTS, OtherPrograms
from copilot_server.engine.model_choice.machine import Machine, Speeds
from copilot_server.engine.model_choice.measuring import measured_models, this_machine
from copilot_server.engine.models.architecture import read_architecture
from copilot_server.errors import EngineError
from copilot_server.fetch import LoggedProgress

#: The configuration of a small Qwen2.
QWEN2 = {
    "model_type": "qwen2",
    "hidden_act": "silu",
    "num_hidden_layers": 1,
    "hidden_size": 64,
    "num_attention_heads": 2,
    "intermediate_size": 64,
    "vocab_size": 64,
    "max_position_embeddings": 64,
}
CPU = Settings(device="cpu", dtype="int8", speed=SpeedSettings(threads=1))


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("COPILOT_SERVER_HOME", str(tmp_path))
    return tmp_path


class Measurement:
    """Stands for the measurement, which takes a second: gives one speed after the other."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *speeds: float, others: float = 0.0) -> None:
        self.left = list(speeds)
        monkeypatch.setattr(speed, "measure_speed", lambda *_: (self.left.pop(0),) * 2)
        monkeypatch.setattr(OtherPrograms, "share", lambda _: others)


def measured(settings: Settings = CPU) -> Machine:
    machine = this_machine(settings, LoggedProgress())
    assert machine is not None
    return machine


def test_a_machine_is_measured_once_for_each_number_format(monkeypatch: pytest.MonkeyPatch):
    Measurement(monkeypatch, 100.0, 200.0)
    assert measured() == measured()
    assert measured().multiplications_s == 100.0
    assert measured(Settings(device="cpu", dtype="bfloat16")).multiplications_s == 200.0


def test_the_fastest_of_a_few_starts_beside_other_programs_counts(monkeypatch: pytest.MonkeyPatch):
    speeds = Measurement(monkeypatch, 100.0, 300.0, 200.0, 900.0, others=0.5)
    assert [measured().bytes_s for _ in range(ATTEMPTS + 2)] == [100.0, *[300.0] * (ATTEMPTS + 1)]
    assert speeds.left == [900.0]


def test_the_speeds_of_a_model_that_has_run_here_undisturbed_are_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(QWEN2))
    architecture = read_architecture(folder)
    assert architecture is not None
    machine = Machine("cpu", "int8", 1.0, 1.0, 1)

    def known(dtype: str = "int8", threads: int = 3) -> dict[str, Speeds]:
        return measured_models(replace(machine, dtype=dtype), {"m": folder}, threads)

    assert known() == {}
    monkeypatch.setattr(tuning, "_measure", lambda *_: Tuning(3, step_s=0.02, reading_speed_tok_s=300.0))
    for others, speeds in ((0.5, {}), (0.0, {"m": Speeds(300.0, 50.0)})):
        monkeypatch.setattr(OtherPrograms, "share", lambda _, others=others: others)
        tune(pytest.fail, key=tuning_key(architecture, "int8"), threads=3)
        assert known() == known("gguf") == speeds  # a folder has no blocks of a GGUF file
    assert known("bfloat16") == known(threads=2) == {}
    assert measured_models(replace(machine, device="cuda"), {"m": folder}, 3) == {}
    assert measured_models(machine, {"m": tmp_path / "gone"}, 3) == {}


def test_what_our_kernels_do_not_compute_is_not_measured(monkeypatch: pytest.MonkeyPatch):
    assert this_machine(Settings(device="cpu", dtype="float16"), LoggedProgress()) is None
    assert this_machine(Settings(speed=SpeedSettings(fast=False)), LoggedProgress()) is None

    def missing(*_: object) -> None:
        raise EngineError("The kernels were not compiled.")

    monkeypatch.setattr(speed, "measure_speed", missing)
    assert this_machine(CPU, LoggedProgress()) is None
