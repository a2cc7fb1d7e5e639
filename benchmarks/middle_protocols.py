"""Which prompt protocol to serve in the middle of a file: a line taken out of a solution, and asked for.

Tasks are lines of HumanEval's canonical solutions, as in single-line infilling (Bavarian et al. 2022,
arXiv:2207.14255): the document is the prompt and the solution with one line blank, the cursor on it. The
pipeline answers as it would an editor; the program with the answer in it runs in the sandbox. Prints a line
a protocol and ends in one JSON line.
Usage: python benchmarks/middle_protocols.py [TASKS] (80 unless given, drawn with seed 1)
"""

from __future__ import annotations

import json
import random
import sys
import threading
import time
from dataclasses import dataclass

from copilot_server.completion.pipeline import Pipeline, open_pipeline
from copilot_server.completion.types import Completion, CompletionRequest
from copilot_server.config import CompletionSettings, Protocol, Settings
from copilot_server.context.document import Cursor, Document
from copilot_server.humaneval.passk import wilson_interval
from copilot_server.humaneval.problems import Problem, load_problems
from copilot_server.sandbox import Sandbox, open_sandbox

PROTOCOLS: tuple[Protocol, ...] = ("fim", "causal", "chat-prefill")
SEED = 1


@dataclass(frozen=True, slots=True)
class Task:
    """A problem, and its solution before, on and after the line that is asked for."""

    problem: Problem
    before: str
    line: str
    after: str

    @property
    def request(self) -> CompletionRequest:
        """The cursor on the blank line that the line has left."""
        prefix = self.problem.prompt + self.before
        document = Document(self.problem.uri, "python", f"{prefix}\n{self.after}")
        return CompletionRequest(Cursor(document, len(prefix)))

    def solution(self, answer: str) -> str:
        """The solution with ``answer`` in place of the line."""
        return f"{self.before}{answer}\n{self.after}"


def all_tasks() -> list[Task]:
    """A task for every line of every solution that is not blank."""
    tasks = []
    for problem in load_problems():
        lines = problem.canonical_solution.splitlines(keepends=True)
        for i, line in enumerate(lines):
            if line.strip():
                before, after = "".join(lines[:i]), "".join(lines[i + 1 :])
                tasks.append(Task(problem, before, line.rstrip("\n"), after))
    return tasks


def measure(pipeline: Pipeline, protocol: Protocol, tasks: list[Task], sandbox: Sandbox) -> dict[str, object]:
    """Ask for each line by one protocol; the share that passes, and the share that is the very line."""
    pipeline.configure(CompletionSettings(protocol=protocol, max_new_tokens=96))
    start = time.monotonic()
    requests = [task.request for task in tasks]
    answers = [_text(one) for one in pipeline.complete_batch(requests, threading.Event(), batch_size=32)]
    wall_s = time.monotonic() - start
    programs = [task.problem.program(task.solution(text)) for task, text in zip(tasks, answers, strict=True)]
    passed = sum(result.passed for result in sandbox.run_many(programs))
    exact = sum(text.strip() == task.line.strip() for task, text in zip(tasks, answers, strict=True))
    low, high = wilson_interval(passed, len(tasks))
    return {
        "pass_at_1": passed / len(tasks),
        "interval": [low, high],
        "exact_match": exact / len(tasks),
        "wall_s": round(wall_s, 1),
    }


def _text(completion: Completion) -> str:
    return completion.candidates[0].text if completion.candidates else ""


def main() -> None:
    """Measure every protocol on the same tasks."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 80
    tasks = random.Random(SEED).sample(all_tasks(), count)
    settings = Settings()
    pipeline = open_pipeline(settings)
    print(f"{settings.model}, {pipeline.engine.device}, {pipeline.engine.dtype}, {count} tasks")
    figures = {}
    with open_sandbox() as sandbox:
        for protocol in PROTOCOLS:
            figures[protocol] = row = measure(pipeline, protocol, tasks, sandbox)
            print(protocol, row, flush=True)
    print(json.dumps({"model": settings.model, "tasks": count, "seed": SEED, "protocols": figures}))


if __name__ == "__main__":
    main()
