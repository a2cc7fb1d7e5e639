"""Runs the checks that ``make check``, ``make lint``, ``make test`` and ``make test-long`` consist of.

A plan is a list of rounds, which follow each other. The lanes of a round run side by side, and the stages
of a lane one after another. When a stage fails, the others still run: the summary at the end names what
failed, and the exit code is 1 if anything did.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BIN = Path(sys.executable).parent
#: What a test process with the 0.5B in float32, and the servers that it starts, may take at a time.
MEMORY_OF_A_WORKER = 6 * 2**30


@dataclass(frozen=True)
class Stage:
    """A command with a name. A live one writes to the terminal as it runs, any other once it has ended."""

    name: str
    command: Sequence[str]
    live: bool = False


@dataclass(frozen=True)
class Outcome:
    """How a stage ended, and how long it took."""

    stage: Stage
    code: int
    seconds: float


Lane = Sequence[Stage]
Round = Sequence[Lane]


def tool(name: str, *arguments: str) -> tuple[str, ...]:
    """Return the command of a program of this virtual environment."""
    return (str(BIN / name), *arguments)


def pytest(*arguments: str, workers: int = 1, dist: str = "loadfile") -> tuple[str, ...]:
    """Return the command for tests on ``workers`` processes.

    ``dist``: how pytest-xdist divides them: ``loadfile`` keeps a file's tests together, which share servers
    and models, and ``worksteal`` keeps every process at work to the end.
    """
    # Without the flag, xdist would begin with the files of many tests: see pytest_collection_modifyitems.
    parallel = ("-n", str(workers), "--dist", dist, "--no-loadscope-reorder") if workers > 1 else ()
    return tool("pytest", "--durations=10", *parallel, *arguments)


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def workers_with_models() -> int:
    """Return how many test processes this machine has cores and memory for, if each loads models."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return max(1, min(cores(), memory // MEMORY_OF_A_WORKER))


LINT: Lane = (
    Stage("ruff check", tool("ruff", "check", "--quiet", ".")),
    Stage("ruff format", tool("ruff", "format", "--quiet", "--check", ".")),
    Stage("import-linter", tool("lint-imports")),
    Stage("deptry", tool("deptry", ".", "--no-ansi")),
    Stage("mypy", tool("mypy")),
)
VSCODE_CHECKS: Lane = (Stage("VS Code extension", ("tests/editors/vscode.sh", "check")),)
_OTHER_EDITORS = ("-m", "editors", "--ignore", "tests/editors/vscode", "tests/editors")
#: Typing into an editor is mostly waiting for it, so that two of them share the cores.
EDITORS: Round = (
    (Stage("tests in VS Code", ("tests/editors/vscode.sh", "drive")),),
    (Stage("tests in Neovim and Emacs", pytest(*_OTHER_EDITORS), live=True),),
)


MODEL: Lane = (Stage("default model", tool("copilot-server", "pull", "qwen2.5-coder-0.5b"), live=True),)


def tests(side_by_side: str, alone: str, *flags: str) -> Sequence[Round]:
    """Return the rounds for two selections of tests: those that run beside others, and those that do not."""
    beside = Stage("tests", pytest("-m", side_by_side, *flags, workers=workers_with_models()), live=True)
    return (
        (MODEL,),
        ((beside,), (*LINT, *VSCODE_CHECKS)),
        ((Stage("tests, one at a time", pytest("-m", alone, *flags), live=True),),),
        EDITORS,
    )


#: `make check` is for while you work, and leaves what takes seconds to `make test`.
_QUICK = ("--quiet", "-m", "not long and not model and not editors and not serial and not slow", "tests/unit")
UNIT: Lane = (Stage("unit tests", pytest(*_QUICK, workers=cores(), dist="worksteal"), live=True),)

PLANS: dict[str, Sequence[Round]] = {
    "lint": ((LINT,),),
    "check": ((UNIT, LINT),),
    "editors": ((MODEL, VSCODE_CHECKS), EDITORS),
    "test": tests("not long and not editors and not serial", "not long and not editors and serial"),
    # Also searches for new failing examples of the property tests: see tests/conftest.py.
    "test-long": tests(
        "not long and not editors and not serial",
        "not editors and (long or serial)",
        "--hypothesis-profile=search",
    ),
}


def run(rounds: Sequence[Round]) -> list[Outcome]:
    """Run all stages, whether or not some fail."""
    outcomes: list[Outcome] = []
    for lanes in rounds:
        threads = [threading.Thread(target=_run_lane, args=(lane, outcomes)) for lane in lanes]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    return outcomes


def _run_lane(lane: Lane, outcomes: list[Outcome]) -> None:
    for stage in lane:
        start = time.monotonic()
        code = _run_live(stage) if stage.live else _run_quietly(stage)
        outcomes.append(Outcome(stage, code, time.monotonic() - start))


def _run_live(stage: Stage) -> int:
    print(f"==> {stage.name}", flush=True)
    return subprocess.run(stage.command, cwd=ROOT, check=False).returncode


def _run_quietly(stage: Stage) -> int:
    """Run a stage, and print its output if it failed or could not be run."""
    done = subprocess.run(
        stage.command, cwd=ROOT, check=False, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    if done.returncode != 0 or "NOT RUN" in done.stdout:
        print(f"==> {stage.name}\n{done.stdout}", flush=True)
    return done.returncode


def summary(name: str, outcomes: Sequence[Outcome], seconds: float) -> str:
    """Return a line for each stage, and one for all of them."""
    lines = [
        f"{'passed' if outcome.code == 0 else 'FAILED'}  {outcome.seconds:7.1f} s  {outcome.stage.name}"
        for outcome in outcomes
    ]
    failed = [outcome.stage.name for outcome in outcomes if outcome.code != 0]
    verdict = f"FAILED: {', '.join(failed)}" if failed else "all passed"
    return "\n".join([*lines, f"{name}: {seconds:.1f} s, {verdict}"])


def main(arguments: Sequence[str]) -> int:
    """Run the plan that the only argument names."""
    if len(arguments) != 1 or arguments[0] not in PLANS:
        print(f"usage: stages.py {{{','.join(PLANS)}}}", file=sys.stderr)
        return 2
    start = time.monotonic()
    outcomes = run(PLANS[arguments[0]])
    print("\n" + summary(arguments[0], outcomes, time.monotonic() - start))
    return 0 if all(outcome.code == 0 for outcome in outcomes) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
