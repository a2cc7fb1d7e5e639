"""Which prompt protocol to use in the middle of a file: completing a line that was removed from a solution.

Tasks are lines of HumanEval's canonical solutions, as in single-line infilling (Bavarian et al. 2022,
arXiv:2207.14255). The document is the prompt and the solution, with the cursor on a line that is blank, or
that is given up to a random column. The pipeline answers as it answers an editor, and the program with the
answer runs in the sandbox. The protocols are compared, and infilling in each layout. It prints a line for
each and a line of JSON.
Usage: python -m benchmarks.middle_protocols [TASKS] [FORM...] (by default 80 tasks and all forms)
"""

from __future__ import annotations

import json
import random
import sys
import threading
import time
from dataclasses import dataclass, replace

from attrs import evolve

from benchmarks.home import temporary_home
from copilot_server.catalog import FimLayout, resolve
from copilot_server.completion.pipeline import Pipeline, open_pipeline
from copilot_server.completion.types import Completion, CompletionRequest
from copilot_server.config import CompletionSettings, PromptProtocolSetting, Settings
from copilot_server.context.document import Cursor, Document
from copilot_server.engine.models.vocabulary import detect_fim
from copilot_server.evaluation.problems import Problem, load_problems
from copilot_server.sandbox import Sandbox, open_sandbox
from copilot_server.statistics.proportion import wilson_interval

#: The forms of prompts by name: the protocol, and the layout of infilling.
FORMS: dict[str, tuple[PromptProtocolSetting, FimLayout]] = {
    "fim, psm": ("fim", "psm"),
    "fim, spm": ("fim", "spm"),
    "causal": ("causal", "psm"),
    "chat-prefill": ("chat-prefill", "psm"),
}
SEED = 1


@dataclass(frozen=True, slots=True)
class Task:
    """A problem, and its solution before, on and after the text to complete: a line, or the rest of one."""

    problem: Problem
    before: str
    line: str
    after: str

    @property
    def request(self) -> CompletionRequest:
        """The request with the cursor on the removed line."""
        prefix = self.problem.prompt + self.before
        document = Document(self.problem.task().uri, "python", f"{prefix}\n{self.after}")
        return CompletionRequest(Cursor(document, len(prefix)))

    def solution(self, answer: str) -> str:
        """Return the solution with ``answer`` in place of the line."""
        return f"{self.before}{answer}\n{self.after}"


def all_tasks() -> list[Task]:
    """Return a task for every line of every solution that is not blank."""
    tasks = []
    for problem in load_problems().problems:
        lines = problem.canonical_solution.splitlines(keepends=True)
        for i, line in enumerate(lines):
            if line.strip():
                before, after = "".join(lines[:i]), "".join(lines[i + 1 :])
                tasks.append(Task(problem, before, line.rstrip("\n"), after))
    return tasks


def begun(task: Task, rng: random.Random) -> Task:
    """Return the task with the line typed up to a random column after its indentation."""
    indent = len(task.line) - len(task.line.lstrip())
    typed = rng.randrange(indent, len(task.line))
    return replace(task, before=task.before + task.line[:typed], line=task.line[typed:])


def measure(pipeline: Pipeline, tasks: list[Task], sandbox: Sandbox) -> dict[str, object]:
    """Complete each line, and return the share that passes and the share of exact matches."""
    start = time.monotonic()
    requests = [task.request for task in tasks]
    answers = [_text(one) for one in pipeline.complete_batch(requests, threading.Event(), batch_size=32)]
    wall_s = time.monotonic() - start
    programs = [
        task.problem.task().program(task.solution(text)) for task, text in zip(tasks, answers, strict=True)
    ]
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
    return completion.sampled[0].text if completion.sampled else ""


def main() -> None:
    """Measure every form on the same tasks, with blank lines and with lines that are begun."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 80
    forms = sys.argv[2:] or list(FORMS)
    rng = random.Random(SEED)
    blank = rng.sample(all_tasks(), count)
    kinds = {"blank": blank, "begun": [begun(task, rng) for task in blank]}
    settings = Settings()
    engine = open_pipeline(settings).engine
    manifest = detect_fim(resolve(settings.model).manifest, engine)
    print(f"{settings.model}, {engine.device}, {engine.dtype}, {count} tasks of each kind")
    figures: dict[str, dict[str, object]] = {}
    with open_sandbox() as sandbox:
        for form in forms:
            protocol, layout = FORMS[form]
            asked = CompletionSettings(protocol=protocol, max_new_tokens=96)
            laid_out = evolve(manifest, fim=evolve(manifest.fim, layout=layout))
            pipeline = Pipeline(engine, laid_out, asked)
            figures[form] = {kind: measure(pipeline, tasks, sandbox) for kind, tasks in kinds.items()}
            print(form, figures[form], flush=True)
    print(json.dumps({"model": settings.model, "tasks": count, "seed": SEED, "forms": figures}))


if __name__ == "__main__":
    with temporary_home():
        main()
