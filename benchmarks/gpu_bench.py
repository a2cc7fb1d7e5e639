"""How near the torch runner comes to the limits of a GPU, compared with ``transformers.generate``.

Needs no network and no weights: the models are random ones of the shapes of Qwen2.5-Coder 0.5B, 1.5B and 7B
(``--model FOLDER`` takes a real one instead, for all parts).

First it checks what only a GPU can show: that captured graphs and Triton's kernels compute what plain PyTorch
does, in float32 and in each quantized format. If a check fails, the exit code is 1.
Then, in medians after warming up:

- the ceilings: bytes/s of a copy on the device, read and written; FLOP/s of a matrix product;
- for each shape, batch and context: prefill and decoding in tokens/s, as shares of the ceilings, and as
  multiples of ``transformers.generate``; which ways of multiplying were measured fastest;
- the attention of one layer, in each way that it can be computed;
- the largest shape in bfloat16, int8 and int4: a decoding step, verifying drafts, and a suggestion of 64
  tokens after 1,500 that are in the KV cache;
- the smallest shape writing samples through the whole decoding loop, and what 32,800 would take.

Prints a line for each and ends in one JSON line.
Usage: python benchmarks/gpu_bench.py [--device cuda] [--quick] [--time-limit SECONDS] [--parts PART ...]
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).parents[1]))  # so that the package need not be installed

from benchmarks.gpu.attention import measure_attention
from benchmarks.gpu.checks import check
from benchmarks.gpu.formats import measure_formats
from benchmarks.gpu.setup import FULL, QUICK, SHAPES, Bench
from benchmarks.gpu.shapes import measure_shape
from copilot_server.errors import EngineError

PARTS = ("check", "shapes", "attention", "formats", "samples")


def run(bench: Bench, parts: Sequence[str]) -> bool:
    """Run all parts, each within its time limit; return whether the checks passed."""
    shapes = bench.workload.shapes
    measures: list[tuple[str, Callable[[], object]]] = [
        *(("shapes", lambda name=name: measure_shape(bench, name)) for name in shapes),  # type: ignore[misc]
        ("attention", lambda: measure_attention(bench, shapes[-1])),
        ("formats", lambda: measure_formats(bench, shapes[-1])),
        ("samples", lambda: _measure_samples(bench, shapes[0])),
    ]
    bench.start_part()
    measure_ceilings(bench)
    if "check" in parts and not check(bench):
        return False
    for part, measure in measures:
        if part in parts:
            bench.start_part()
            with _freed(bench):
                measure()
    return True


def measure_ceilings(bench: Bench) -> None:
    """A copy far larger than the caches, and a product that keeps every processor busy."""
    small = bench.device.type == "cpu"
    source = torch.randint(0, 255, (2**24 if small else 2**31,), dtype=torch.uint8, device=bench.device)
    target = torch.empty_like(source)
    bench.copy_bytes_s = 2 * source.numel() / bench.median_s(lambda: target.copy_(source), 9)
    size = 512 if small else 8192
    a, b = (torch.randn(size, size, device=bench.device).to(bench.number) for _ in range(2))
    bench.matmul_flop_s = 2 * size**3 / bench.median_s(lambda: a @ b, 9)
    ceilings = {"copy_tb_s": bench.copy_bytes_s / 1e12, "matmul_tflop_s": bench.matmul_flop_s / 1e12}
    bench.report(f"ceilings in {bench.dtype}", ceilings)
    bench.figures |= ceilings


def _measure_samples(bench: Bench, name: str) -> None:
    try:
        from benchmarks.gpu.samples import measure_samples  # noqa: PLC0415 - what it needs is not everywhere
    except ModuleNotFoundError as error:
        print(f"samples: left out, since {error.name} is not installed")
    else:
        measure_samples(bench, name)


@contextmanager
def _freed(bench: Bench) -> Iterator[None]:
    """Free memory afterwards; report a model that does not fit, and leave it out."""
    try:
        yield
    except (EngineError, torch.OutOfMemoryError) as error:
        print(f"left out: {error}")
    if bench.device.type == "cuda":
        torch.cuda.empty_cache()


def machine(device: torch.device) -> dict[str, object]:
    """The device and the versions that it ran on."""
    loaded = {
        name: getattr(sys.modules.get(name), "__version__", None) for name in ("triton", "transformers")
    }
    return {
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else platform.machine(),
        "python": platform.python_version(),
        "versions": {"torch": torch.__version__, "cuda": torch.version.cuda, **loaded},
    }


def _arguments() -> argparse.Namespace:
    form = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=form)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--quick", action="store_true", help="a tiny shape, in seconds")
    parser.add_argument("--time-limit", type=float, default=70.0, help="seconds for each part and shape")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--shapes", nargs="+", choices=list(SHAPES), help="instead of all")
    parser.add_argument("--model", type=Path, help="a folder with real weights, instead of the shapes")
    parser.add_argument("--right", type=float, default=0.7, help="share of drafts that are right")
    return parser.parse_args()


def main() -> int:
    """Read the flags, measure, print; 1 if a check failed."""
    arguments = _arguments()
    workload = QUICK if arguments.quick else FULL
    if arguments.model is not None:
        workload = replace(workload, shapes=(str(arguments.model),))
    elif arguments.shapes:
        workload = replace(workload, shapes=tuple(arguments.shapes))
    device = torch.device(arguments.device)
    dtype = "bfloat16" if device.type == "cuda" else "float32"
    bench = Bench(device, dtype, workload, limit_s=arguments.time_limit, right=arguments.right)
    start = time.perf_counter()
    with torch.inference_mode():
        passed = run(bench, arguments.parts)
    bench.figures |= {"right": bench.right, "wall_s": time.perf_counter() - start}
    print(json.dumps({**bench.figures, "machine": machine(device)}))
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
