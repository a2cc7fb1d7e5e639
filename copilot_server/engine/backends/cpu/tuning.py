"""The number of threads and the length of drafts that are fastest here, and how fast prompts are read.

They are measured once and remembered.
"""

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
from copilot_server.engine.decoding.reading import measure_reading_speed
from copilot_server.engine.runner import Choice, Chunk, Runner
from copilot_server.fetch import home

_LOG = logging.getLogger(__name__)

#: Increase this when what is measured changes, so that what was remembered before is measured again.
VERSION = 3
#: Tokens of context while measuring, and the number of steps whose median counts.
CONTEXT, STEPS = 64, 5
#: The draft lengths to try, and how many times as long as without a draft a step may take. Its time grows
#: with each whole tile of rows (kernels/matmul.h), three with AVX2 and six with AVX-512: hence 2 and 5.
DRAFTS, WORTHWHILE = (2, 3, 5, 7, 9, 11, 15, 23), 1.8


@dataclass(frozen=True, slots=True)
class Tuning:
    """The number of threads to compute with, and the most drafted tokens that one step should verify.

    ``reading_speed_tok_s``: how fast a new prompt is read so, in tokens per second.
    """

    threads: int
    draft_length: int
    reading_speed_tok_s: float | None = None


def tune(make: Callable[[int], Runner], *, key: str, threads: int = 0) -> Tuning:
    """Measure, which takes about a second, or recall what was measured for this model on this processor.

    Args:
        make: Makes a runner with the given number of threads.
        key: Names the model and its number format.
        threads: The number of threads to use; 0 finds the fastest.
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


def longest_worthwhile_draft(step_s: Callable[[int], float]) -> int:
    """The most drafted tokens that pay off; 0 for none.

    ``step_s``: gives the time of a step of so many tokens, in seconds. Verifying n drafts takes n + 1 tokens.
    """
    alone_s = step_s(1)
    longest = 0
    for drafts in DRAFTS:
        if step_s(1 + drafts) > WORTHWHILE * alone_s:
            break
        longest = drafts
    return longest


def _remembered_at(key: str) -> Path:
    isa = load_library().decoder_isa().decode()
    machine = f"{VERSION} {platform.node()} {platform.processor()} {os.cpu_count()} {isa}"
    return home() / "tuning" / f"{sha256(f'{machine} {key}'.encode()).hexdigest()[:16]}.json"


def _measure(make: Callable[[int], Runner], threads: int) -> Tuning:
    times = {count: _step_s(make(count), 1) for count in ([threads] if threads else _thread_counts())}
    best = min(times, key=lambda count: times[count])
    runner = make(best)
    draft_length = longest_worthwhile_draft(lambda tokens: _step_s(runner, tokens))
    speed = measure_reading_speed(runner)
    _LOG.info(
        "measured: %d threads, drafts of up to %d tokens, prompts at %.0f tokens/s", best, draft_length, speed
    )
    return Tuning(best, draft_length, speed)


def _thread_counts() -> Sequence[int]:
    """All processors; half of them, which are the physical cores with hyper-threading; and a quarter."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return sorted({max(1, usable // divisor) for divisor in (1, 2, 4)})


def _step_s(runner: Runner, tokens: int) -> float:
    """The median time of a step that reads ``tokens`` tokens and chooses as many, in seconds."""
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
