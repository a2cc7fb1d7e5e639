"""Run the bench: ``python -m benchmarks.bench`` from the top of the repository, or ``make bench``.

It prints its progress on stderr, and a table and a line of JSON on stdout. It draws a plot.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

from benchmarks.bench import venvs
from benchmarks.bench.machine import Watch, machine, wait_until_quiet
from benchmarks.bench.parts import Bench, Options
from benchmarks.bench.prompts import PromptBook
from benchmarks.bench.report import json_line, plot, table
from benchmarks.bench.results import figures_of
from benchmarks.bench.targets import targets
from benchmarks.home import temporary_home
from copilot_server.catalog import resolve
from copilot_server.config import DEFAULT_MODEL
from copilot_server.engine.backends.cpu.library import INSTRUCTION_SETS, load_library
from copilot_server.engine.models.gguf import described_folder, prepared_folder
from copilot_server.fetch import ensure
from copilot_server.provenance import versions

PLOT = Path(__file__).parents[1] / "results" / "bench.png"
#: How long a part waits for other processes to become idle.
QUIET_S = 60.0
PARTS = ("typing", "hurry", "engines", "drafts", "humaneval", "vllm", "first-start")


def main() -> None:
    """Run the bench in a home folder of its own."""
    arguments = _arguments()
    if arguments.isa:
        os.environ["COPILOT_SERVER_ISA"] = arguments.isa  # for the servers, too
    with temporary_home():
        run(arguments)


def run(arguments: argparse.Namespace) -> None:
    """Measure the parts, and print and plot the figures. Those of a part that fails are null."""
    isa = load_library().decoder_isa().decode()
    measured_on = {**machine(), "instruction_set": isa}
    log(f"{measured_on}")
    bench = _bench(arguments)
    others = {
        part: _measure(bench, part, patience_s=0 if arguments.quick else QUIET_S) for part in arguments.parts
    }
    figures = figures_of(bench.results)
    plot(figures, bench.results.recording, arguments.plot)
    about = {
        "machine": {**measured_on, "others_cores": others},
        "versions": {**versions(), **bench.versions},
        "model": arguments.model,
        "seed": arguments.seed,
        "quick": arguments.quick,
    }
    print(table(figures, targets(arguments.model, isa)))
    print(json_line(figures, about))


def log(message: str) -> None:
    """Print what the bench does on stderr."""
    print(f"bench: {message}", file=sys.stderr, flush=True)


def _measure(bench: Bench, part: str, patience_s: float) -> float | None:
    """Measure a part; return how many cores other processes used meanwhile, or None if that is unknown."""
    log(f"{part} ...")
    if not wait_until_quiet(patience_s):
        log("Other processes keep this machine busy: the figures will be wrong.")
    watch = Watch()
    try:
        getattr(bench, part.replace("-", "_"))()
    except (RuntimeError, OSError, subprocess.CalledProcessError) as error:
        log(f"{part} could not be measured: {error}")
    # The processor time of vLLM's workers never reaches their parent.
    others = None if part == "vllm" else round(watch.others(), 2)
    log(f"{part}: {watch.elapsed_s:.0f} s, {others} cores used by other processes")
    return others


def _bench(arguments: argparse.Namespace) -> Bench:
    ref = resolve(arguments.model)
    path = ensure(ref, offline=True)
    gguf = path if path.suffix == ".gguf" else None
    folder = _folder(path, unpacked=arguments.transformers or "vllm" in arguments.parts)
    options = Options(
        model=arguments.model,
        gguf=gguf,
        folder=folder,
        seed=arguments.seed,
        functions=2 if arguments.quick else arguments.functions,
        keys=4 if arguments.quick else arguments.keys,
        rounds=1 if arguments.quick else 4,
        drafted_positions=3 if arguments.quick else 40,
        problems=4 if arguments.quick else None,
        transformers=arguments.transformers,
    )
    return Bench(options, PromptBook(ref, folder))


def _folder(path: Path, *, unpacked: bool) -> Path:
    """Return the model's folder; of a GGUF file that of its tokenizer, unless its weights are needed."""
    if path.suffix != ".gguf":
        return path
    return (None if unpacked else described_folder(path)) or prepared_folder(path)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.bench", description=__doc__)
    parser.add_argument("--model", default=DEFAULT_MODEL, help="an id, a folder or a .gguf file")
    parser.add_argument("--isa", choices=INSTRUCTION_SETS, help="force an instruction set on our side")
    parser.add_argument(
        "--no-transformers", dest="transformers", action="store_false", help="leave transformers out"
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--functions", type=int, default=10, help="how many functions are typed in")
    parser.add_argument("--keys", type=int, default=14, help="how many keys of each are typed")
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
    """Return all parts, except vLLM's unless it is installed; for a smoke test, those that take a minute."""
    if quick:
        return ["typing", "hurry", "drafts"]
    return [part for part in PARTS if part != "vllm" or venvs.has("vllm")]


if __name__ == "__main__":
    main()
