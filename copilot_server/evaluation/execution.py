"""The third stage of a run: each different program runs once in the sandbox, while sampling continues."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass

from copilot_server.evaluation.types import Checked, Sample, Task
from copilot_server.sandbox import Check, Limits, Program, ProgramResult, Sandbox

OnChecked = Callable[[Checked], None]


@dataclass(frozen=True, slots=True)
class _Running:
    sample: Sample
    result: Future[ProgramResult]
    upstream: Future[ProgramResult] | None


class Checker:
    """Runs samples of ``tasks`` in a sandbox, by the check that counts and, if that is strict, by both.

    The sandbox's workers call ``on_checked`` with each verdict as it comes.
    """

    def __init__(
        self, tasks: Sequence[Task], sandbox: Sandbox, check: Check, limits: Limits, on_checked: OnChecked
    ) -> None:
        self._tasks = {task.task_id: task for task in tasks}
        self._sandbox = sandbox
        self._check: Check = check
        self._limits = limits
        self._on_checked = on_checked
        self._programs: dict[tuple[Program, Check], Future[ProgramResult]] = {}
        self._running: list[_Running] = []

    def submit(self, samples: Sequence[Sample]) -> None:
        """Start to check samples."""
        for sample in samples:
            self._submit(sample)

    def results(self) -> list[Checked]:
        """Wait for all verdicts. They are in the order of the tasks, the temperatures and the indices.

        Raises:
            SandboxUnavailableError: a program could not be started.
        """
        checked = [
            Checked(one.sample, one.result.result(), None if one.upstream is None else one.upstream.result())
            for one in self._running
        ]
        positions = {name: position for position, name in enumerate(self._tasks)}
        return sorted(checked, key=lambda one: (positions[one.sample.task_id], _within_task(one.sample)))

    def _submit(self, sample: Sample) -> None:
        program = self._tasks[sample.task_id].program(sample.completion, sample.replaced)
        result = self._run(program, self._check)
        upstream = self._run(program, "upstream") if self._check == "strict" else None
        self._running.append(_Running(sample, result, upstream))
        result.add_done_callback(lambda done: self._report(sample, done))

    def _run(self, program: Program, check: Check) -> Future[ProgramResult]:
        key = program, check
        if key not in self._programs:
            self._programs[key] = self._sandbox.submit(program, self._limits, check=check)
        return self._programs[key]

    def _report(self, sample: Sample, done: Future[ProgramResult]) -> None:
        # A check that was cancelled or failed has no verdict. ``results`` raises its error.
        if not done.cancelled() and done.exception() is None:
            self._on_checked(Checked(sample, done.result()))


def _within_task(sample: Sample) -> tuple[float, int]:
    return -1.0 if sample.temperature is None else sample.temperature, sample.index
