"""How fast the engine reads and writes on this machine: prefill in tokens/s, one decoding step in ms.

Random tokens, 250 of them before the steps; medians. Prints a table and ends in one JSON line.
Usage: python benchmarks/engine_speed.py [MODEL] (an id, a folder or a .gguf file; the 0.5B unless given)
"""

from __future__ import annotations

import json
import os
import random
import statistics
import sys
import threading
import time

import torch
import transformers

from copilot_server.catalog import resolve
from copilot_server.config import DEFAULT_MODEL
from copilot_server.engine.batch import Batch
from copilot_server.engine.loader import load_engine
from copilot_server.engine.torch_engine import TorchEngine
from copilot_server.fetch import ensure

CONTEXT = 250
STEPS = 9


def measure(engine: TorchEngine, rows: int) -> dict[str, float]:
    """Prefill ``rows`` prompts of ``CONTEXT`` tokens, then take a token for each, ``STEPS`` times."""
    draw = random.Random(rows)
    prompts = [[draw.randrange(100, 20_000) for _ in range(CONTEXT)] for _ in range(rows)]
    batch = Batch(engine.model, prompts)
    start = time.perf_counter()
    batch.prefill(threading.Event())
    prefill_s = time.perf_counter() - start
    steps = []
    for _ in range(STEPS):
        start = time.perf_counter()
        batch.step([100] * rows)
        steps.append(time.perf_counter() - start)
    step_s = statistics.median(steps[1:])
    return {
        "prefill_tok_s": rows * CONTEXT / prefill_s,
        "step_ms": 1e3 * step_s,
        "decode_tok_s": rows / step_s,
    }


def main() -> None:
    """Measure one row and batches."""
    name = sys.argv[1] if len(sys.argv) > 1 else DEFAULT_MODEL
    engine = load_engine(ensure(resolve(name)))
    with torch.inference_mode():
        measure(engine, 1)  # warms up
        figures = {rows: measure(engine, rows) for rows in (1, 8, 32)}
    print(f"{name} on {engine.device} in {engine.dtype}")
    print(f"{'rows':>4} {'prefill tok/s':>14} {'step ms':>9} {'decode tok/s':>13}")
    for rows, row in figures.items():
        print(f"{rows:>4} {row['prefill_tok_s']:>14.0f} {row['step_ms']:>9.0f} {row['decode_tok_s']:>13.1f}")
    machine = {
        "cpu_capability": torch.backends.cpu.get_cpu_capability(),
        "threads": torch.get_num_threads(),
        "load_1min": os.getloadavg()[0],
        "torch": torch.__version__,
        "transformers": transformers.__version__,
    }
    settings = {"model": name, "device": engine.device, "dtype": engine.dtype}
    print(json.dumps({**settings, "context": CONTEXT, "rows": figures, "machine": machine}))


if __name__ == "__main__":
    main()
