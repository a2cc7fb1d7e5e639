"""Run the bench: ``python -m benchmarks.bench`` from the top of the repository, or ``make bench``.

Prints what it does on stderr, a table on stdout, and at the end of it one JSON line. Draws a plot.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

from benchmarks.bench import venvs
from benchmarks.bench.machine import Watch, machine, wait_until_quiet
from benchmarks.bench.parts import Bench, Options
from benchmarks.bench.prompts import PromptBook
from benchmarks.bench.report import json_line, plot, table
from benchmarks.bench.results import figures_of
from copilot_server.catalog import resolve
from copilot_server.config import DEFAULT_MODEL
from copilot_server.engine.models.gguf import prepared_folder
from copilot_server.fetch import ensure
from copilot_server.provenance import versions

PLOT = Path(__file__).parents[1] / "results" / "bench.png"
#: How long a part waits for others to stop computing.
QUIET_S = 60.0
PARTS = ("typing", "hurry", "engines", "drafts", "humaneval", "vllm", "first-start")


def main() -> None:
    """Measure part by part; a part that fails is told, and its figures are null."""
    arguments = _arguments()
    place = machine()
    tell(f"{place}")
    bench = _bench(arguments)
    others = {
        part: _measure(bench, part, patience_s=0 if arguments.quick else QUIET_S) for part in arguments.parts
    }
    figures = figures_of(bench.results)
    plot(figures, bench.results.recording, arguments.plot)
    about = {
        "machine": {**place, "others_cores": others},
        "versions": {**versions(), **bench.versions},
        "model": arguments.model,
        "seed": arguments.seed,
        "quick": arguments.quick,
    }
    print(table(figures))
    print(json_line(figures, about))


def tell(message: str) -> None:
    """Say what goes on."""
    print(f"bench: {message}", file=sys.stderr, flush=True)


def _measure(bench: Bench, part: str, patience_s: float) -> float | None:
    """Measure a part; how many cores were busy with something else meanwhile, None if that is not known."""
    tell(f"{part} ...")
    if not wait_until_quiet(patience_s):
        tell("This machine is busy with something else: the figures will be wrong.")
    watch = Watch()
    try:
        getattr(bench, part.replace("-", "_"))()
    except (RuntimeError, OSError, subprocess.CalledProcessError) as error:
        tell(f"{part} could not be measured: {error}")
    # vLLM's workers end without their parent learning what they used.
    others = None if part == "vllm" else round(watch.others(), 2)
    tell(f"{part}: {watch.elapsed_s:.0f} s, {others} cores busy with something else")
    return others


def _bench(arguments: argparse.Namespace) -> Bench:
    ref = resolve(arguments.model)
    path = ensure(ref, offline=True)
    gguf = path if path.suffix == ".gguf" else None
    folder = prepared_folder(path) if gguf else path
    options = Options(
        model=arguments.model,
        gguf=gguf,
        folder=folder,
        seed=arguments.seed,
        functions=2 if arguments.quick else arguments.functions,
        keys=4 if arguments.quick else arguments.keys,
        rounds=1 if arguments.quick else 4,
        drafted_places=3 if arguments.quick else 40,
        problems=4 if arguments.quick else None,
    )
    return Bench(options, PromptBook(ref, folder))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.bench", description=__doc__)
    parser.add_argument("--model", default=DEFAULT_MODEL, help="an id, a folder or a .gguf file")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--functions", type=int, default=10, help="typed in")
    parser.add_argument("--keys", type=int, default=14, help="typed of each")
    parser.add_argument("--quick", action="store_true", help="a smoke test: its figures mean nothing")
    parser.add_argument("--parts", nargs="+", choices=PARTS, metavar="PART")
    parser.add_argument("--vllm", action="store_true", help="install vLLM too (3.4 GB)")
    parser.add_argument("--plot", type=Path, default=PLOT, metavar="FILE.png")
    arguments = parser.parse_args()
    arguments.parts = arguments.parts or _default_parts(quick=arguments.quick)
    if arguments.vllm and "vllm" not in arguments.parts:
        arguments.parts.append("vllm")
    return arguments


def _default_parts(*, quick: bool) -> list[str]:
    """All, but what takes gigabytes only if it is there already; of a smoke test, what takes a minute."""
    if quick:
        return ["typing", "hurry", "drafts"]
    return [part for part in PARTS if part != "vllm" or venvs.has("vllm")]


if __name__ == "__main__":
    main()
