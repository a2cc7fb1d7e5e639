"""How fast this CPU multiplies matrices in each dtype: what ``--dtype auto`` should choose.

It times one linear layer of Qwen2.5-Coder 0.5B (896 to 4864) with 1 row as in decoding, 16 as in a batch,
and 256 as in a prefill. It prints a table and a line of JSON. Usage: python benchmarks/cpu_dtypes.py
"""

from __future__ import annotations

import json
import os
import statistics
import time

import torch

ROWS = (1, 16, 256)
DTYPES = (torch.float32, torch.bfloat16, torch.float16)
REPEATS = 15


def median_us(dtype: torch.dtype, rows: int) -> float:
    """Return the median time of one multiplication in microseconds, after warming up."""
    weight = torch.randn(4864, 896).to(dtype)
    x = torch.randn(rows, 896).to(dtype)
    times = []
    for _ in range(REPEATS + 2):
        start = time.perf_counter()
        torch.nn.functional.linear(x, weight)
        times.append((time.perf_counter() - start) * 1e6)
    return statistics.median(times[2:])


def main() -> None:
    """Measure each dtype with each number of rows."""
    figures = {
        str(dtype).removeprefix("torch."): [median_us(dtype, rows) for rows in ROWS] for dtype in DTYPES
    }
    print(f"{'microseconds':<12}" + "".join(f"{rows:>10} rows" for rows in ROWS))
    for name, row in figures.items():
        print(f"{name:<12}" + "".join(f"{value:>15.0f}" for value in row))
    machine = {
        "cpu_capability": torch.backends.cpu.get_cpu_capability(),
        "threads": torch.get_num_threads(),
        "load_1min": os.getloadavg()[0],
        "torch": torch.__version__,
    }
    print(json.dumps({"rows": ROWS, "median_us": figures, "machine": machine}))


if __name__ == "__main__":
    main()
