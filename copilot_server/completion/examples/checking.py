"""Checks a candidate by the examples of its function, in the sandbox.

One program has the function with what it needs of the document, and runs all examples. The solution's process
gets the examples' calls and never what they must give; the judge's process compares.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterable
from concurrent.futures import CancelledError
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import dataclass, replace

from copilot_server.completion.examples.closure import closure
from copilot_server.completion.examples.statements import global_names
from copilot_server.completion.examples.types import (
    Candidate,
    Example,
    Examples,
    Outcome,
    Session,
    Step,
    Verdict,
    Verdicts,
)
from copilot_server.errors import SandboxUnavailableError
from copilot_server.sandbox import Limits, Program, ProgramResult, Sandbox

#: What a program may use unless the caller says otherwise.
DEFAULT_LIMITS = Limits(timeout_s=2.0)
#: A session as ``comparing.reports`` has it.
_Session = list[tuple[str, bool, bool, int | None, tuple[object, ...] | None]]
#: How long after the deadline the sandbox may take to end a program.
_GRACE_S = 1.0
_TIMED_OUT = "timed out"
_NOT_COMPILED = ("SyntaxError", "IndentationError", "TabError")

#: Runs a step in the solution's process. No other name is added, so that none hides what the solution lacks.
_ENTRY_POINT = "_run_example_step"
_STEPPING = f"""
{_ENTRY_POINT} = __import__("copilot_server.sandbox.stepping", fromlist=["Stepper"]).Stepper(globals())
"""
_COMPARING = """
from copilot_server.sandbox.comparing import reports

def check(candidate):
    yield from reports(PLAN, candidate)

PLAN = """


@dataclass(frozen=True, slots=True)
class Check:
    """A program that checks examples; ``verdicts``: those that are certain without it, by their numbers."""

    examples: tuple[Example, ...]
    program: Program | None
    verdicts: dict[int, Verdict]

    def read(self, result: ProgramResult) -> dict[int, Verdict]:
        """Return the verdicts that the program gave before it ended, by the numbers of the examples."""
        reports = [_reported(report, len(self.examples)) for report in result.reports]
        return {
            number: Verdict(self.examples[number], outcome, detail)
            for number, outcome, detail in reports
            if outcome is not None
        }

    def ending(self, result: ProgramResult, waiting: list[int]) -> tuple[dict[int, Verdict], bool]:
        """Return the verdicts that a bad end gives examples without one, and whether others can still run.

        The first of them fails. If the program did not even load, that may be the document's fault, and
        nothing is checked; but that a text does not compile is the candidate's.
        """
        if not result.reports:
            outcome: Outcome = "failed" if result.error.startswith(_NOT_COMPILED) else "not checked"
            return {one: Verdict(self.examples[one], outcome, result.error) for one in waiting}, False
        failed = Verdict(self.examples[waiting[0]], "failed", result.error)
        return {waiting[0]: failed}, result.error != _TIMED_OUT


def check(
    sandbox: Sandbox,
    examples: Examples,
    candidate: Candidate,
    *,
    limits: Limits = DEFAULT_LIMITS,
    deadline: float = math.inf,
) -> Verdicts:
    """Check a candidate by the examples, in one program, and another after each that ends badly.

    ``deadline`` is a time of ``time.monotonic``: what has not ended by then is not checked.
    """
    began = time.monotonic()
    verdicts: dict[int, Verdict] = {}
    can_go_on = True
    while can_go_on and len(verdicts) < len(examples):
        one = prepare(examples, candidate, without=verdicts)
        verdicts |= one.verdicts
        limited = replace(limits, timeout_s=min(limits.timeout_s, deadline - time.monotonic()))
        result = _run(sandbox, one.program, limited, deadline) if one.program else None
        if result is None:
            break
        verdicts |= one.read(result)
        waiting = [number for number in range(len(examples)) if number not in verdicts]
        can_go_on = bool(waiting and result.error)
        if can_go_on and not (result.error == _TIMED_OUT and limited.timeout_s < limits.timeout_s):
            ended, can_go_on = one.ending(result, waiting)
            verdicts |= ended
    missing = _all(examples, "not checked", "not reached")
    return Verdicts(tuple((missing | verdicts).values()), time.monotonic() - began)


def prepare(examples: Examples, candidate: Candidate, *, without: Iterable[int] = ()) -> Check:
    """Return the program that checks a candidate; ``without``: the numbers of examples that are not run."""
    own = closure(candidate.document, examples.start)
    if own.reason:
        fails = own.is_broken and not candidate.is_followed
        return Check(
            examples.examples, None, _all(examples, "failed" if fails else "not checked", own.reason)
        )
    names = [_names(session) for session in examples.sessions]
    found = [closure(candidate.document, examples.start, one) for one in names]
    runnable = [at for at, one in enumerate(found) if not one.reason]
    whole = closure(candidate.document, examples.start, {name for at in runnable for name in names[at]})
    refused = {
        number: Verdict(one, "not checked", found[one.session].reason)
        for number, one in enumerate(examples)
        if found[one.session].reason
    }
    plan = _plan(examples, runnable, set(without))
    return Check(examples.examples, _program(whole.text, plan) if plan else None, refused)


def _reported(report: str, count: int) -> tuple[int, Outcome | None, str]:
    try:
        number, outcome, detail = json.loads(report)
    except (ValueError, TypeError):
        return -1, None, ""
    if isinstance(number, int) and 0 <= number < count and outcome in {"passed", "failed", "not checked"}:
        # JSON may hold half of a surrogate pair, which no file and no other process takes.
        return number, outcome, str(detail).encode(errors="backslashreplace").decode()
    return -1, None, ""


def _all(examples: Examples, outcome: Outcome, detail: str) -> dict[int, Verdict]:
    return {number: Verdict(one, outcome, detail) for number, one in enumerate(examples)}


def _run(sandbox: Sandbox, program: Program, limits: Limits, deadline: float) -> ProgramResult | None:
    """Run the program when a worker is free; None if there is no time, or the sandbox is at an end."""
    if limits.timeout_s <= 0:
        return None
    try:
        future = sandbox.submit(program, limits)
    except RuntimeError:  # it has been closed
        return None
    try:
        left_s = deadline - time.monotonic() + _GRACE_S
        return future.result(None if left_s == math.inf else left_s)
    except (FutureTimeoutError, CancelledError, SandboxUnavailableError):
        future.cancel()
        return None


def _names(session: Session) -> set[str]:
    return {name for step in session.steps for name in global_names(step.source)}


def _plan(examples: Examples, runnable: Iterable[int], without: set[int]) -> list[_Session]:
    """Return the sessions that have examples left."""
    numbers = {(one.session, one.step): number for number, one in enumerate(examples)}
    plan: list[_Session] = []
    for session in runnable:
        steps: _Session = []
        for at, step in enumerate(examples.sessions[session].steps):
            number = numbers.get((session, at))
            if number not in without and (step.wanted is None or number is not None):
                steps.append((step.source, step.is_expression, step.calls, number, _wanted(step)))
        if any(number is not None for *_, number, _ in steps):
            plan.append(steps)
    return plan


def _wanted(step: Step) -> tuple[object, ...] | None:
    wanted = step.wanted
    return (wanted.form, wanted.text, wanted.tolerance, wanted.flags) if wanted else None


def _program(text: str, plan: list[_Session]) -> Program:
    solution = f"{text}{_STEPPING}"
    if "asyncio" in text:  # imported first, so that its loops can be replaced
        solution += f"{_ENTRY_POINT}(-1, 'import asyncio', False)\n"
    return Program(solution, f"{_COMPARING}{plan!r}\n", _ENTRY_POINT)
