"""The time of an engine's steps on this machine: prefill, decoding, verifying drafts, and many sequences.

The tokens are drawn from those of this file, and the figures are medians. A single sequence has a prompt of
1,100 tokens, each of many has one of 300. It prints a table and a line of JSON.
Usage: python -m benchmarks.engine_speed [MODEL [DTYPE]] (MODEL: an id, a folder or a .gguf file)
"""

from __future__ import annotations

import json
import os
import platform
import random
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.home import temporary_home
from copilot_server.catalog import resolve
from copilot_server.config import DEFAULT_MODEL
from copilot_server.engine.decoding.engine import DecodingEngine
from copilot_server.engine.loader import load_engine
from copilot_server.engine.runner import Choice, Chunk, Runner
from copilot_server.fetch import ensure

PROMPT, SHARED = 1100, 300
ROUNDS = 5
WIDTHS = (1, 2, 4, 8, 12, 16)
STREAMS = (8, 16, 32, 64)
GREEDY = Choice()


def median_s(act: Callable[[], object], rounds: int = ROUNDS) -> float:
    """Return the median time of a call in seconds."""
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        act()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def read(runner: Runner, prompt: list[int]) -> int:
    """Prefill a prompt in chunks, as the engine does, and return its sequence."""
    sequence = runner.open()
    for start in range(0, len(prompt), runner.prefill_chunk):
        piece = prompt[start : start + runner.prefill_chunk]
        runner.step([Chunk(sequence, piece, [GREEDY] if start + len(piece) == len(prompt) else ())])
    return sequence


def measure(runner: Runner, vocabulary: list[int]) -> dict[str, float]:
    """Return the figures by name: tokens per second for prefill, milliseconds per step for the rest.

    ``vocabulary``: the tokens of which a prompt is drawn.
    """
    prompt = random.Random(1).choices(vocabulary, k=PROMPT)
    sequence = read(runner, prompt)  # warms up
    # Each prefill uses fresh memory, as that of a new prompt does.
    kept = []
    figures = {"prefill_tok_s": PROMPT / median_s(lambda: kept.append(read(runner, prompt)))}
    for width in WIDTHS:

        def verify(width: int = width) -> None:
            runner.step([Chunk(sequence, prompt[:width], [GREEDY] * width)])
            runner.truncate(sequence, PROMPT)

        figures[f"verify_{width}_ms"] = 1e3 * median_s(verify, 3 * ROUNDS)
    for count in STREAMS:
        streams = [runner.fork(sequence, SHARED) for _ in range(count)]
        step_s = median_s(lambda: runner.step([Chunk(one, prompt[:1], [GREEDY]) for one in streams]))  # noqa: B023
        figures[f"streams_{count}_tok_s"] = count / step_s
        for one in streams:
            runner.close(one)
    return figures


def main() -> None:
    """Measure one model."""
    name = sys.argv[1] if len(sys.argv) > 1 else DEFAULT_MODEL
    dtype = sys.argv[2] if len(sys.argv) > 2 else "auto"
    engine = load_engine(ensure(resolve(name)), dtype=dtype)
    if not isinstance(engine, DecodingEngine):
        sys.exit(f"transformers decodes {name} on this machine, so there are no steps of our own to measure.")
    figures = measure(engine.runner, engine.tokenizer.encode_text(Path(__file__).read_text("utf-8")))
    print(f"{name} on {engine.device} in {engine.dtype}")
    for figure, value in figures.items():
        print(f"{figure:>18} {value:8.1f}")
    about = {"model": name, "device": engine.device, "dtype": engine.dtype, "load_1min": os.getloadavg()[0]}
    rounded = {figure: round(value, 2) for figure, value in figures.items()}
    print(json.dumps({**about, **rounded, "cpus": os.cpu_count(), "machine": platform.machine()}))


if __name__ == "__main__":
    with temporary_home():
        main()
