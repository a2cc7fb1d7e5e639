"""What suits this machine, measured once and remembered: how many threads, and how long a draft pays."""

from __future__ import annotations

import json
import logging
import os
import platform
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path

from copilot_server.engine.backends.cpu.library import load_library
from copilot_server.engine.runner import Choice, Chunk, Runner
from copilot_server.fetch import home

_LOG = logging.getLogger(__name__)

#: Tokens of context while measuring, and steps whose median counts.
CONTEXT, STEPS = 64, 5
#: Draft lengths that are tried, and how much longer than a step without drafts the last good one takes.
DRAFTS, WORTHWHILE = (3, 5, 7, 9, 11, 15, 23), 1.8


@dataclass(frozen=True, slots=True)
class Tuning:
    """Threads to compute with, and drafted tokens that a step verifies at little more than their absence."""

    threads: int
    draft_length: int


def tune(make: Callable[[int], Runner], *, key: str, threads: int = 0) -> Tuning:
    """Measure, or remember what was measured here for the same model and processor (under a second).

    ``make``: a runner with so many threads. ``threads``: the number to use, 0 to find the fastest.
    """
    path = _remembered_at(f"{key} {threads}")
    try:
        return Tuning(**json.loads(path.read_text("utf-8")))
    except (OSError, ValueError, TypeError):
        tuning = _measure(make, threads)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(asdict(tuning)), "utf-8")
    except OSError as error:
        _LOG.debug("the tuning cannot be remembered: %s", error)
    return tuning


def _remembered_at(key: str) -> Path:
    machine = (
        f"{platform.node()} {platform.processor()} {os.cpu_count()} {load_library().decoder_isa().decode()}"
    )
    return home() / "tuning" / f"{sha256(f'{machine} {key}'.encode()).hexdigest()[:16]}.json"


def _measure(make: Callable[[int], Runner], threads: int) -> Tuning:
    times = {count: _step_s(make(count), 1) for count in ([threads] if threads else _thread_counts())}
    best = min(times, key=lambda count: times[count])
    runner = make(best)
    draft_length = 0
    for drafts in DRAFTS:
        if _step_s(runner, 1 + drafts) > WORTHWHILE * times[best]:
            break
        draft_length = drafts
    _LOG.info("measured: %d threads, drafts of up to %d tokens", best, draft_length)
    return Tuning(best, draft_length)


def _thread_counts() -> Sequence[int]:
    """All processors; the half, which are cores of their own where there is hyper-threading; and fewer."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return sorted({max(1, usable // divisor) for divisor in (1, 2, 4)})


def _step_s(runner: Runner, tokens: int) -> float:
    """The median time of a step that reads ``tokens`` tokens and draws as many, in seconds."""
    sequence = runner.open()
    runner.step([Chunk(sequence, [1] * CONTEXT)])
    times = []
    for _ in range(STEPS):
        start = time.perf_counter()
        runner.step([Chunk(sequence, [1] * tokens, [Choice()] * tokens)])
        times.append(time.perf_counter() - start)
        runner.truncate(sequence, CONTEXT)
    runner.close(sequence)
    return statistics.median(times)
