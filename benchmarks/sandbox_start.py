"""How long an editor's first check of a candidate takes, which starts the sandbox, and how long others.

Each round has a checker of its own, as an editor's session has. Three candidates for HumanEval's prompts that
have examples are checked one after another: the first one starts bubblewrap, the interpreter in it and its
zygotes, and the others find them. Then the sandbox ends. The time is that until the verdicts are there.

It prints a table and a line of JSON.
Usage: python -m benchmarks.sandbox_start [--rounds 15]
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time
from collections.abc import Callable, Sequence

from benchmarks.bench.machine import machine
from benchmarks.verify_latency import with_examples
from copilot_server.completion.types import Candidate
from copilot_server.completion.verification.checker import ExampleChecker
from copilot_server.context.document import Cursor, Document
from copilot_server.evaluation.problems import Problem
from copilot_server.provenance import versions

#: The longest wait for a verdict, in seconds.
ANSWER_S = 60.0
STEPS = ("cold", "warm", "warm, one more")


def cursor(problem: Problem) -> Cursor:
    """Return the cursor at the end of a prompt."""
    document = Document(f"file:///{problem.entry_point}.py", "python", problem.prompt)
    return Cursor(document, len(problem.prompt))


def timed_ms(act: Callable[[], object]) -> float:
    """Return how long ``act`` takes, in milliseconds."""
    began_s = time.perf_counter()
    act()
    return 1000 * (time.perf_counter() - began_s)


def measured(problems: Sequence[Problem]) -> dict[str, float]:
    """Return the milliseconds of one round: reading the examples, the three checks, the end."""
    checker = ExampleChecker()
    times = {"reading": timed_ms(lambda: checker.examples(cursor(problems[0])))}

    def check(problem: Problem) -> None:
        candidate = Candidate(problem.canonical_solution, 0.0, "stop")
        (checked,) = checker.check(cursor(problem), [candidate])
        verdicts = checked.result(ANSWER_S).verdicts
        assert verdicts is not None, problem.task_id
        assert not verdicts.not_checked, verdicts.summary()

    for step, problem in zip(STEPS, problems, strict=True):
        times[step] = timed_ms(lambda problem=problem: check(problem))  # type: ignore[misc]
    checker.close()
    return times


def main() -> None:
    """Measure, and print the table and the JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    given = parser.parse_args()
    found = with_examples(3 * given.rounds)
    rounds = [found[index : index + len(STEPS)] for index in range(0, len(found), len(STEPS))]
    rows = [measured(one) for one in rounds if len(one) == len(STEPS)]
    print(f"{len(rows)} rounds, load {os.getloadavg()[0]:.2f}")
    print(f"{'':16}{'median, ms':>11}{'lowest':>8}{'highest':>9}")
    for name in rows[0]:
        values = [row[name] for row in rows]
        print(f"{name:16}{statistics.median(values):11.1f}{min(values):8.1f}{max(values):9.1f}")
    print(
        json.dumps(
            {"ms": rows, "load_1min": os.getloadavg()[0], "machine": machine(), "versions": versions()}
        )
    )


if __name__ == "__main__":
    main()
