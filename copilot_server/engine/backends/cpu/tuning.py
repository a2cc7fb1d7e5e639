"""The number of threads that is fastest here, how long a step takes with it, and how fast prompts are read.

They are measured once and remembered; what was measured while other programs computed is measured again at
the next start.
"""

from __future__ import annotations

import json
import logging
import os
import platform
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from hashlib import sha256
from pathlib import Path

import psutil

from copilot_server.engine.backends.cpu.library import load_library
from copilot_server.engine.decoding.reading import measure_reading_speed
from copilot_server.engine.runner import Choice, Chunk, Runner
from copilot_server.fetch import home
from copilot_server.provenance import cores

_LOG = logging.getLogger(__name__)

#: Increase this when what is measured changes, so that what was remembered before is measured again.
VERSION = 5
#: Tokens of context while measuring, and the number of steps whose shortest counts: what else the machine
#: does makes the others longer.
CONTEXT, STEPS = 64, 5
#: The share of all processors' time that other programs may take while measuring, and how many starts measure
#: again where they always take more.
QUIET, ATTEMPTS = 0.1, 3


@dataclass(frozen=True, slots=True)
class Tuning:
    """The number of threads to compute with, and how fast the model is so.

    ``step_s``: the seconds of a step of one token. ``reading_speed_tok_s``: how fast a new prompt is read, in
    tokens per second. ``attempts``: how many starts have measured while other programs kept the processors
    busy; 0 once none did.
    """

    threads: int
    step_s: float
    reading_speed_tok_s: float
    attempts: int = 0

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
    path = _remembered_at(f"{key} {threads}")
    remembered = _recall(path)
    if remembered and not 0 < remembered.attempts < ATTEMPTS:
        return remembered
    others = OtherPrograms()
    tuning = _measure(make, threads)
    if others.share() > QUIET:
        fastest = max(tuning, remembered or tuning, key=lambda one: one.reading_speed_tok_s)
        tuning = replace(fastest, attempts=(remembered.attempts if remembered else 0) + 1)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(asdict(tuning)), "utf-8")
    except OSError as error:
        _LOG.debug("the tuning cannot be remembered: %s", error)
    return tuning


def undisturbed_tuning(*, key: str, threads: int = 0) -> Tuning | None:
    """What ``tune`` has measured for these arguments; None if it did not, or only beside other programs."""
    tuning = _recall(_remembered_at(f"{key} {threads}"))
    usable = tuning is not None and not tuning.attempts and min(tuning.step_s, tuning.reading_speed_tok_s) > 0
    return tuning if usable else None


def _recall(path: Path) -> Tuning | None:
    try:
        return Tuning(**json.loads(path.read_text("utf-8")))
    except (OSError, ValueError, TypeError):
        return None


class OtherPrograms:
    """How much of all processors' time other programs take, from its making on."""

    def __init__(self) -> None:
        self._start = self._times_s()

    def share(self) -> float:
        """The share so far, from 0 to 1."""
        busy_s, all_s = (now - before for now, before in zip(self._times_s(), self._start, strict=True))
        return max(0.0, busy_s / max(all_s, 1e-9))

    @staticmethod
    def _times_s() -> tuple[float, float]:
        """The seconds that processors were busy with others, and those that have passed for all of them."""
        times, own = psutil.cpu_times(), psutil.Process().cpu_times()
        idle_s = times.idle + getattr(times, "iowait", 0.0)
        # Linux counts a guest's time as its user's, too.
        all_s = sum(times) - getattr(times, "guest", 0.0) - getattr(times, "guest_nice", 0.0)
        return all_s - idle_s - own.user - own.system, all_s


def _remembered_at(key: str) -> Path:
    isa = load_library().decoder_isa().decode()
    machine = f"{VERSION} {platform.node()} {platform.processor()} {os.cpu_count()} {isa}"
    return home() / "tuning" / f"{sha256(f'{machine} {key}'.encode()).hexdigest()[:16]}.json"


def _measure(make: Callable[[int], Runner], threads: int) -> Tuning:
    steps = {count: _Steps(make(count)) for count in ([threads] if threads else thread_counts())}
    times = {count: one.shortest_s() for count, one in steps.items()}
    best = min(times, key=lambda count: times[count])
    speed = measure_reading_speed(steps[best].runner)
    _LOG.info("measured: %d threads, %.4f s a step, prompts at %.0f tokens/s", best, times[best], speed)
    return Tuning(best, times[best], speed)


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
