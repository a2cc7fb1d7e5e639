"""What is remembered of a machine, and when it is measured again."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from copilot_server.engine.measurements import ATTEMPTS, OtherPrograms, measure_once, recall


@dataclass(frozen=True)
class Speed:
    unit: str
    speed: float


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("COPILOT_SERVER_HOME", str(tmp_path))
    return tmp_path


@pytest.fixture
def measure(monkeypatch: pytest.MonkeyPatch) -> Callable[..., float]:
    """Measure a speed, if at all, while other programs take a share of the processors."""

    def measured(speed: float, *, others: float = 0.0, key: str = "one") -> float:
        monkeypatch.setattr(OtherPrograms, "share", lambda _: others)
        speeds = measure_once(Speed, key, lambda: Speed("m/s", speed), lambda *both: max(both, key=speed_of))
        return speed_of(speeds)

    return measured


def speed_of(one: Speed) -> float:
    return one.speed


def test_what_was_measured_is_remembered_under_its_key(measure: Callable[..., float]):
    assert recall(Speed, "one") is None
    assert [measure(1.0), measure(2.0), measure(3.0, key="two"), measure(4.0)] == [1.0, 1.0, 3.0, 1.0]
    remembered = recall(Speed, "one")
    assert remembered is not None
    assert (remembered.value, remembered.attempts) == (Speed("m/s", 1.0), 0)


def test_what_was_measured_beside_other_programs_gives_way_to_a_quiet_start(measure: Callable[..., float]):
    assert [measure(5.0, others=0.5), measure(3.0, others=0.4)] == [5.0, 5.0]
    remembered = recall(Speed, "one")
    assert remembered is not None
    assert remembered.attempts == 2
    assert [measure(4.0), measure(9.0), measure(9.0, others=0.5)] == [4.0, 4.0, 4.0]


def test_a_machine_that_is_always_busy_is_measured_a_few_times_only(measure: Callable[..., float]):
    speeds = [float(one) for one in range(1, ATTEMPTS + 3)]
    measured = [measure(speed, others=0.5) for speed in speeds]
    assert measured == [*speeds[:ATTEMPTS], speeds[ATTEMPTS - 1], speeds[ATTEMPTS - 1]]


@pytest.mark.parametrize(
    "damage",
    [
        "",
        "[]",
        '{"value": {}, "attempts": 0}',
        '{"value": null, "attempts": 0}',
        '{"value": [1], "attempts": 0}',
    ],
)
def test_what_cannot_be_read_is_measured_again(damage: str, home: Path, measure: Callable[..., float]):
    measure(1.0)
    (path,) = (home / "tuning").iterdir()
    path.write_text(damage)
    assert measure(2.0) == 2.0


@pytest.mark.parametrize("impossible", [0.0, -1.0, float("nan"), None])
def test_impossible_numbers_are_measured_again(
    impossible: float | None, home: Path, measure: Callable[..., float]
):
    measure(1.0)
    (path,) = (home / "tuning").iterdir()
    kept = json.loads(path.read_text())
    kept["value"]["speed"] = impossible
    path.write_text(json.dumps(kept))
    assert measure(2.0) == 2.0


def test_a_folder_that_cannot_be_written_to_is_no_error(home: Path, measure: Callable[..., float]):
    (home / "tuning").write_text("a file")
    assert [measure(1.0), measure(2.0)] == [1.0, 2.0]


def test_the_share_of_other_programs_is_a_share():
    others = OtherPrograms()
    deadline = time.process_time() + 0.3
    while time.process_time() < deadline:
        pass
    assert 0.0 <= others.share() <= 1.0
