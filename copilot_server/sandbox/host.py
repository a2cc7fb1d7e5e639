"""The host's side: finds a sandbox that works, and runs several programs in it at a time."""

from __future__ import annotations

import json
import logging
import os
import secrets
import signal
import threading
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Self

from copilot_server.errors import SandboxUnavailableError
from copilot_server.sandbox import bubblewrap
from copilot_server.sandbox.failure import MAX_CHARACTERS
from copilot_server.sandbox.probe import probe_program
from copilot_server.sandbox.tiers import Tier, tiers, unsandboxed
from copilot_server.sandbox.types import DEFAULT_LIMITS, Check, Limits, Program, ProgramResult, Refusal
from copilot_server.sandbox.worker import Ended, Worker

logger = logging.getLogger(__name__)

_PROBE_TIMEOUT_S = 60.0
#: The original harness kills a process this long after its alarm.
_UPSTREAM_GRACE_S = 1.0
#: How many workers may break under a program before the program is blamed.
_ATTEMPTS = 2
_STOPPED = "was stopped"
#: How often a program may be suspected of filling the disk before it is blamed.
_SUSPICIONS = 3
_REMEDY = (
    "Install bubblewrap (your distribution's package `bubblewrap`) and allow it to create user namespaces: "
    "containers need a seccomp profile for this, Ubuntu 24.04 an AppArmor profile. Or pass "
    "--allow-unsandboxed: the programs, which nobody has read, then run with your own rights."
)


class Sandbox:
    """Runs programs, each in processes of its own, ``workers`` at a time. Any thread may call it.

    A worker is a sandbox with a Python in it, started when it is first needed. It runs one program at a time,
    so that no program meets another, and is replaced after a program that has left something behind.
    """

    def __init__(
        self,
        tier: Tier,
        *,
        workers: int | None = None,
        preload: tuple[str, ...] = (),
        limits: Limits = DEFAULT_LIMITS,
        passed_over: tuple[Refusal, ...] = (),
    ) -> None:
        self._tier = tier
        self._passed_over = passed_over
        self._preload = preload
        self._limits = limits
        self._pool = ThreadPoolExecutor(workers or os.cpu_count() or 1, thread_name_prefix="sandbox")
        self._own = threading.local()
        self._lock = threading.Lock()
        self._workers: set[Worker] = set()
        #: The workers that run a program now, and how often all programs have been stopped.
        self._running: set[Worker] = set()
        self._stops = 0
        self._closed = False

    @property
    def tier(self) -> str:
        """The name of what isolates the programs, for people to read."""
        return self._tier.name

    @property
    def passed_over(self) -> tuple[Refusal, ...]:
        """The better tiers that do not work here, best first, each with the reason."""
        return self._passed_over

    def submit(
        self, program: Program, limits: Limits | None = None, *, check: Check = "strict"
    ) -> Future[ProgramResult]:
        """Run the program when a worker is free, within ``limits`` or those of the sandbox."""
        return self._pool.submit(self._run, program, check, limits or self._limits, self._stops)

    def run_many(
        self, programs: Iterable[Program], limits: Limits | None = None, *, check: Check = "strict"
    ) -> list[ProgramResult]:
        """Run the programs, several at a time; the results are in their order."""
        futures = [self.submit(program, limits, check=check) for program in programs]
        return [future.result() for future in futures]

    def run(
        self, program: Program, limits: Limits | None = None, *, check: Check = "strict"
    ) -> ProgramResult:
        """Run one program until its verdict, its end or its deadline; nothing of it outlives the call.

        Raises:
            SandboxUnavailableError: the host could not start it, for example for lack of memory or
            descriptors.
        """
        return self.submit(program, limits, check=check).result()

    def stop(self) -> None:
        """End all programs that run or wait now, which then have failed; later ones run as before."""
        with self._lock:
            self._stops += 1
            for worker in self._running:
                worker.end()

    def _run(self, program: Program, check: Check, limits: Limits, stops: int) -> ProgramResult:
        """Run a program that was submitted after so many ``stops``."""
        start = time.monotonic()
        breaks = suspicions = 0
        # If a worker broke before the program began, the program gets another one. If the disk filled while
        # it ran, somebody else may have filled it.
        while breaks < _ATTEMPTS and not (breaks and self._closed) and stops == self._stops:
            nonce = secrets.token_hex(16)
            with self._running_in(self._worker(limits), stops) as worker:
                ended = self._run_in(worker, program, check, limits, nonce)
            breaks += ended is None
            suspicions += ended is not None and ended.excess == "suspected"
            if ended and (ended.excess != "suspected" or suspicions == _SUSPICIONS):
                return _result(ended, nonce)
        error = "ended the sandbox" if stops == self._stops else _STOPPED
        return ProgramResult(passed=False, error=error, wall_s=time.monotonic() - start)

    @contextmanager
    def _running_in(self, worker: Worker, stops: int) -> Iterator[Worker]:
        """Have the worker ended if all programs are stopped meanwhile."""
        with self._lock:
            self._running.add(worker)
            if stops != self._stops:
                worker.end()
        try:
            yield worker
        finally:
            with self._lock:
                self._running.discard(worker)

    def _run_in(
        self, worker: Worker, program: Program, check: Check, limits: Limits, nonce: str
    ) -> Ended | None:
        timeout_s = limits.timeout_s + (_UPSTREAM_GRACE_S if check == "upstream" else 0.0)
        try:
            return worker.run(check, _jobs(program, check, nonce, limits), limits, timeout_s)
        except OSError as error:
            worker.stale = str(error)
            raise SandboxUnavailableError(f"A program could not be started: {error}.") from error
        finally:
            if worker.stale:
                logger.debug("A worker is replaced: %s.", worker.stale)
                self._close(worker)

    def _worker(self, limits: Limits) -> Worker:
        """Return this thread's own worker: a worker dies with the thread that started it."""
        worker: Worker | None = getattr(self._own, "worker", None)
        if worker and worker in self._workers:
            if self._own.disk_bytes == limits.disk_bytes:
                return worker
            self._close(worker)
        worker = Worker(self._tier.launch(limits.disk_bytes, self._preload))
        self._own.worker, self._own.disk_bytes = worker, limits.disk_bytes
        with self._lock:
            self._workers.add(worker)
            if self._closed:
                worker.end()
        return worker

    def _close(self, worker: Worker) -> None:
        with self._lock:
            self._workers.discard(worker)
        worker.close()

    def close(self) -> None:
        """Kill running programs and cancel waiting ones; every worker has ended when this returns."""
        with self._lock:
            self._closed = True
            for worker in self._workers:
                worker.end()
        self._pool.shutdown(wait=True, cancel_futures=True)
        for worker in list(self._workers):
            self._close(worker)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def open_sandbox(
    *,
    allow_unsandboxed: bool = False,
    workers: int | None = None,
    preload: tuple[str, ...] = (),
    limits: Limits = DEFAULT_LIMITS,
) -> Sandbox:
    """Return the best sandbox that works here: each is tried with a program that looks for holes in it.

    Args:
        allow_unsandboxed: if none works, run programs as plain processes with limits and a deadline.
        workers: programs at a time; the number of processors unless given.
        preload: installed modules, such as numpy, that programs may import besides the standard library.
        limits: what a program may use unless ``submit`` or ``run`` is given other limits.

    Raises:
        SandboxUnavailableError: no sandbox works here, and ``allow_unsandboxed`` is false.
    """
    if os.name != "posix":
        raise SandboxUnavailableError(
            "No sandbox exists for this system.", remedy="Use Linux, or WSL on Windows."
        )

    def opened(tier: Tier) -> Sandbox:
        refused = tuple(refusals)
        return Sandbox(tier, workers=workers, preload=preload, limits=limits, passed_over=refused)

    refusals = [] if bubblewrap.find_binaries() else [Refusal("bubblewrap", "no `bwrap` was found")]
    for tier in tiers():
        sandbox = opened(tier)
        reason = tier.unavailable or _probe(sandbox)
        if not reason:
            logger.info("Sandbox: %s", " | ".join([sandbox.tier, *map(str, refusals)]))
            return sandbox
        sandbox.close()
        refusals.append(Refusal(tier.name, reason))
    why = "; ".join(map(str, refusals))
    if not allow_unsandboxed:
        raise SandboxUnavailableError(f"No sandbox works here ({why}).", remedy=_REMEDY)
    logger.warning("No sandbox works here (%s). Programs run with your own rights.", why)
    return opened(unsandboxed())


def _probe(sandbox: Sandbox) -> str:
    """Return why the sandbox is not safe; empty if it is."""
    limits = Limits(timeout_s=_PROBE_TIMEOUT_S)
    try:
        result = sandbox.run(probe_program(limits), limits)
    except SandboxUnavailableError as error:
        return error.message
    return " ".join([result.error, *result.output.split()]).strip() if not result.passed else ""


def _jobs(program: Program, check: Check, nonce: str, limits: Limits) -> list[bytes]:
    """Return each process's job: the solution's process never gets the test, nor the judge the solution."""
    if check == "upstream":
        jobs = [{"program": program.text, "timeout_s": limits.timeout_s, "nonce": nonce}]
    else:
        solution = {"solution": program.solution, "entry_point": program.entry_point}
        test = {"setup": program.setup, "test": program.test, "entry_point": program.entry_point}
        jobs = [{**solution}, {**test, "nonce": nonce}]
    return [json.dumps(job).encode() for job in jobs]


#: The longest report, in characters; the judge writes none that is longer.
_MAX_REPORT = 4000
_UNTIMELY = "ended without a verdict"
_FULL = "took more of the disk than it may"


def _result(ended: Ended, nonce: str) -> ProgramResult:
    error, assertion, reports = _failure(ended, nonce)
    output = ended.output.decode(errors="replace")
    return ProgramResult(not error, _printable(error), ended.wall_s, output, _printable(assertion), reports)


def _printable(text: str, most: int = MAX_CHARACTERS) -> str:
    """Replace what cannot be encoded, such as half of a surrogate pair, and cut what is too long."""
    return text.encode(errors="backslashreplace").decode()[:most]


def _failure(ended: Ended, nonce: str) -> tuple[str, str, tuple[str, ...]]:
    """Return the error and the failed assertion, both empty only if a verdict passes it, and reports."""
    said = _said(ended.verdict, nonce)
    reports = tuple(_printable(str(one["report"]), _MAX_REPORT) for one in said or () if "report" in one)
    if ended.excess or ended.timed_out:
        return _FULL if ended.excess else "timed out", "", reports
    if said is None:
        return "forged verdict", "", ()
    verdict = next((one for one in said if "report" not in one), None)
    return (*(_judged(verdict, ended) if verdict else (_untimely_end(ended.codes[-1]), "")), reports)


def _said(data: bytes, nonce: str) -> list[dict[str, object]] | None:
    """Return the lines of the verdict's pipe; None if one of them is not the judge's."""
    try:
        said = [json.loads(line) for line in data.splitlines()]
    except (ValueError, RecursionError):
        return None
    return said if all(isinstance(one, dict) and one.get("nonce") == nonce for one in said) else None


def _judged(verdict: dict[str, object], ended: Ended) -> tuple[str, str]:
    if verdict.get("passed") is True:
        return "", ""
    error = _untimely_end(ended.codes[0]) if verdict.get("error") == _UNTIMELY else verdict.get("error")
    return str(error or "an error without a name"), str(verdict.get("assertion", ""))


def _untimely_end(code: int | None) -> str:
    if code is None:
        return _UNTIMELY
    if code >= 0:
        return f"{_UNTIMELY} (exit status {code})"
    names = {number.value: number.name for number in signal.Signals}
    return f"killed by {names.get(-code, f'signal {-code}')}"
