"""The number of threads that is fastest here, how long a step takes with it, and how fast prompts are read.

They are measured once and remembered (``engine/measurements.py``).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from copilot_server.engine.backends.cpu.library import load_library
from copilot_server.engine.decoding.reading import measure_reading_speed
from copilot_server.engine.measurements import measure_once, recall
from copilot_server.engine.runner import Choice, Chunk, Runner
from copilot_server.provenance import cores

#: Increase this when what is measured changes, so that what was remembered before is measured again.
VERSION = 6
#: Tokens of context while measuring, and the number of steps whose shortest counts: what else the machine
#: does makes the others longer.
CONTEXT, STEPS = 64, 5


@dataclass(frozen=True, slots=True)
class Tuning:
    """The number of threads to compute with, and how fast the model is so.

    ``step_s``: the seconds of a step of one token. ``reading_speed_tok_s``: how fast a new prompt is read, in
    tokens per second.
    """

    threads: int
    step_s: float
    reading_speed_tok_s: float

    @property
    def step_times_s(self) -> tuple[float, float]:
        """The seconds of a step of one token, and of each further one, which is read like a prompt's."""
        return self.step_s, 1 / self.reading_speed_tok_s


def tune(make: Callable[[int], Runner], *, key: str, threads: int = 0) -> Tuning:
    """Measure, which takes about a second, or recall what was measured for this model on this processor.

    Args:
        make: Makes a runner with the given number of threads.
        key: Names the model and its number format.
        threads: The number of threads to use; 0 finds the fastest.
    """
    return measure_once(Tuning, _key(key, threads), lambda: _measure(make, threads), _faster)


def undisturbed_tuning(*, key: str, threads: int = 0) -> Tuning | None:
    """What ``tune`` has measured for these arguments; None if it did not, or only beside other programs."""
    measured = recall(Tuning, _key(key, threads))
    return measured.value if measured and not measured.attempts else None


def _key(key: str, threads: int) -> str:
    return f"tuning {VERSION} {load_library().decoder_isa().decode()} {key} {threads}"


def _faster(*tunings: Tuning) -> Tuning:
    return max(tunings, key=lambda one: one.reading_speed_tok_s)


def _measure(make: Callable[[int], Runner], threads: int) -> Tuning:
    steps = {count: _Steps(make(count)) for count in ([threads] if threads else thread_counts())}
    times = {count: one.shortest_s() for count, one in steps.items()}
    best = min(times, key=lambda count: times[count])
    return Tuning(best, times[best], measure_reading_speed(steps[best].runner))


def thread_counts() -> Sequence[int]:
    """All processors; half of them, which are the physical cores with hyper-threading; and a quarter."""
    return sorted({max(1, cores() // divisor) for divisor in (1, 2, 4)})


class _Steps:
    """Steps of a runner after a short context, which is read once."""

    def __init__(self, runner: Runner) -> None:
        self.runner = runner
        self._sequence = runner.open()
        runner.step([Chunk(self._sequence, [1] * CONTEXT)])

    def shortest_s(self) -> float:
        """The shortest time of a step that reads a token and chooses the next, in seconds."""
        return min(self._step_s() for _ in range(STEPS))

    def _step_s(self) -> float:
        start = time.perf_counter()
        self.runner.step([Chunk(self._sequence, [1], [Choice()])])
        took = time.perf_counter() - start
        self.runner.truncate(self._sequence, CONTEXT)
        return took
