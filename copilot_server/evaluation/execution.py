"""What came of samples: each different program is run once, beside the drawing."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass

from copilot_server.evaluation.results import Checked, Sample
from copilot_server.evaluation.tasks import Task
from copilot_server.sandbox import Check, Limits, Program, ProgramResult, Sandbox

OnChecked = Callable[[Checked], None]


@dataclass(frozen=True, slots=True)
class _Running:
    sample: Sample
    result: Future[ProgramResult]
    upstream: Future[ProgramResult] | None


class Checker:
    """Runs samples in a sandbox, by the check that counts and, beside a strict one, by the upstream one.

    ``on_checked`` is called by the sandbox's workers as each sample's verdict comes.
    """

    def __init__(self, sandbox: Sandbox, check: Check, limits: Limits, on_checked: OnChecked) -> None:
        self._sandbox = sandbox
        self._check: Check = check
        self._limits = limits
        self._on_checked = on_checked
        self._programs: dict[tuple[Program, Check], Future[ProgramResult]] = {}
        self._running: list[_Running] = []

    def submit(self, task: Task, sample: Sample) -> None:
        """Have a sample of ``task`` checked."""
        program = task.program(sample.completion, sample.replaced)
        result = self._run(program, self._check)
        upstream = self._run(program, "upstream") if self._check == "strict" else None
        running = _Running(sample, result, upstream)
        self._running.append(running)
        result.add_done_callback(lambda done: self._tell(sample, done))

    def results(self) -> list[Checked]:
        """Wait for every verdict; in the order in which the samples came.

        Raises:
            SandboxUnavailableError: a program could not be started.
        """
        return [
            Checked(one.sample, one.result.result(), None if one.upstream is None else one.upstream.result())
            for one in self._running
        ]

    def _run(self, program: Program, check: Check) -> Future[ProgramResult]:
        key = program, check
        if key not in self._programs:
            self._programs[key] = self._sandbox.submit(program, self._limits, check=check)
        return self._programs[key]

    def _tell(self, sample: Sample, done: Future[ProgramResult]) -> None:
        # A cancelled or failed check is no verdict; its future raises where the run waits for it.
        if not done.cancelled() and done.exception() is None:
            self._on_checked(Checked(sample, done.result()))
