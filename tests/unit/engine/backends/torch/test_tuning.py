"""The tuner: the fastest way is found once, and remembered from start to start."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from copilot_server.engine.backends.torch.tuning import Tuner
from tests.support.torch_runners import CPU

WAYS = [lambda i=i: torch.tensor(i) for i in range(3)]


class TooLargeError(Exception):
    pass


class Stopwatch:
    """Says how long each of ``WAYS`` takes."""

    def __init__(self, *times_ms: float) -> None:
        self.times_ms = times_ms
        self.asked: list[int] = []

    def __call__(self, way: Callable[[], torch.Tensor]) -> float:
        index = int(way())
        self.asked.append(index)
        if self.times_ms[index] < 0:
            raise TooLargeError
        return self.times_ms[index]


def chosen(tuner: Tuner, key: str = "product") -> int:
    return int(tuner.run(key, WAYS))


def test_where_nothing_can_be_measured_the_first_way_is_taken():
    tuner = Tuner(CPU)
    assert chosen(tuner) == 0
    assert tuner.chosen == {}


def test_the_fastest_way_is_measured_once():
    stopwatch = Stopwatch(3.0, 1.0, 2.0)
    tuner = Tuner(CPU, measure=stopwatch)
    assert [chosen(tuner), chosen(tuner)] == [1, 1]
    assert stopwatch.asked == [0, 1, 2]


def test_the_next_start_takes_the_same_way_though_it_would_measure_another(tmp_path: Path):
    path = tmp_path / "new" / "tunings.json"
    assert chosen(Tuner(CPU, path, measure=Stopwatch(3.0, 1.0, 2.0))) == 1
    stopwatch = Stopwatch(0.5, 1.0, 2.0)
    assert chosen(Tuner(CPU, path, measure=stopwatch)) == 1
    assert stopwatch.asked == []
    assert chosen(Tuner(CPU, measure=stopwatch)) == 0  # the twin without a memory


def test_a_choice_among_other_ways_is_made_anew(tmp_path: Path):
    path = tmp_path / "tunings.json"
    assert chosen(Tuner(CPU, path, measure=Stopwatch(3.0, 2.0, 1.0))) == 2
    assert int(Tuner(CPU, path, measure=Stopwatch(2.0, 1.0)).run("product", WAYS[:2])) == 1


@pytest.mark.parametrize("text", ["", "{", "[]", '{"product of 3": "x"}', '{"product of 3": 7}'])
def test_a_memory_that_cannot_be_read_is_measured_anew(text: str, tmp_path: Path):
    path = tmp_path / "tunings.json"
    path.write_text(text)
    assert chosen(Tuner(CPU, path, measure=Stopwatch(3.0, 1.0, 2.0))) == 1


def test_a_way_that_does_not_fit_is_not_taken():
    stopwatch = Stopwatch(-1, 2.0, 3.0)
    assert chosen(Tuner(CPU, unfit=(TooLargeError,), measure=stopwatch)) == 1
    with pytest.raises(TooLargeError):
        chosen(Tuner(CPU, measure=stopwatch))
