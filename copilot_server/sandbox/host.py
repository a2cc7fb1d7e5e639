"""The host's side: probing for a sandbox that works, and running programs in it, several at a time."""

from __future__ import annotations

import json
import logging
import os
import secrets
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

from copilot_server.errors import SandboxUnavailableError
from copilot_server.sandbox import bubblewrap
from copilot_server.sandbox.probe import probe_program
from copilot_server.sandbox.process import Exchange, exchange
from copilot_server.sandbox.types import Check, Limits, Program, ProgramResult

logger = logging.getLogger(__name__)

#: The tier's name when there is no sandbox at all.
UNSANDBOXED = "none (unsandboxed)"

# No user's packages and no site module; UTF-8 whatever the locale; nothing compiled is written.
_PYTHON_FLAGS = ("-s", "-P", "-S", "-B", "-X", "utf8", "-c")
_PROBE_TIMEOUT_S = 20.0
_REMEDY = (
    "Install bubblewrap (the package `bubblewrap` of your distribution) and let it make user namespaces: "
    "containers need a seccomp profile that allows them, Ubuntu 24.04 an AppArmor profile. Or pass "
    "--allow-unsandboxed: programs that nobody has read then run with your own rights."
)


@dataclass(frozen=True, slots=True)
class _Tier:
    """A way to start a program: the command before the interpreter's flags, and what the driver must do."""

    name: str
    command: Callable[[Limits], list[str]]
    run_as: int | None = None
    enforce: bool = True


class Sandbox:
    """Runs programs, each in a process tree of its own, ``workers`` at a time. Any thread may call it."""

    def __init__(self, tier: _Tier, *, workers: int | None = None) -> None:
        self._tier = tier
        self._driver = Path(__file__).with_name("child.py").read_text(encoding="utf-8")
        self._pool = ThreadPoolExecutor(workers or os.cpu_count() or 1, thread_name_prefix="sandbox")
        self._lock = threading.Lock()
        self._running: set[subprocess.Popen[bytes]] = set()
        self._closed = False

    @property
    def tier(self) -> str:
        """What shuts the programs in, for people to read."""
        return self._tier.name

    def submit(
        self, program: Program | str, limits: Limits | None = None, *, check: Check = "strict"
    ) -> Future[ProgramResult]:
        """Run the program when a worker is free."""
        text = program if isinstance(program, str) else program.text
        return self._pool.submit(self.run, text, limits)

    def run_many(self, programs: Iterable[str], limits: Limits | None = None) -> list[ProgramResult]:
        """Run the programs, several at a time; the results are in their order."""
        futures = [self.submit(program, limits) for program in programs]
        return [future.result() for future in futures]

    def run(self, program: str, limits: Limits | None = None) -> ProgramResult:
        """Run one program to its verdict, its end or its deadline; nothing of it outlives the call.

        Raises:
            SandboxUnavailableError: the host could not start it, as for want of memory or descriptors.
        """
        limits = limits or Limits()
        nonce = secrets.token_hex(16)
        argv = [*self._tier.command(limits), *_PYTHON_FLAGS, self._driver]
        job = self._job(program, nonce, limits)
        try:
            ended = exchange(argv, job, limits, env={"PYTHONHASHSEED": "0"}, tracked=self._tracked)
        except OSError as error:
            raise SandboxUnavailableError(f"A program could not be started: {error}.") from error
        failure = _failure(ended, nonce)
        return ProgramResult(not failure, failure, ended.wall_s, ended.output.decode(errors="replace"))

    def _job(self, program: str, nonce: str, limits: Limits) -> bytes:
        job = {
            "program": program,
            "nonce": nonce,
            "resources": limits.resources(),
            "run_as": self._tier.run_as,
            "enforce": self._tier.enforce,
        }
        return json.dumps(job).encode()

    @contextmanager
    def _tracked(self, process: subprocess.Popen[bytes]) -> Iterator[None]:
        """Let ``close`` know of the process while it runs."""
        with self._lock:
            self._running.add(process)
            if self._closed:
                process.kill()
        try:
            yield
        finally:
            with self._lock:
                self._running.discard(process)

    def close(self) -> None:
        """Kill what runs and drop what waits; every worker is gone when this returns."""
        with self._lock:
            self._closed = True
            for process in self._running:
                process.kill()
        self._pool.shutdown(wait=True, cancel_futures=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def open_sandbox(*, allow_unsandboxed: bool = False, workers: int | None = None) -> Sandbox:
    """Return the first sandbox that holds a probe program, tried by running it.

    Args:
        allow_unsandboxed: where none works, run programs as plain processes with limits and a deadline.
        workers: programs at a time; the number of processors unless given.

    Raises:
        SandboxUnavailableError: none works here, and ``allow_unsandboxed`` was not given.
    """
    if os.name != "posix":
        raise SandboxUnavailableError(
            "No sandbox exists for this system.", remedy="Use Linux, or WSL on Windows."
        )
    reasons = []
    for tier in _bubblewrap_tiers():
        sandbox = Sandbox(tier, workers=workers)
        reason = _probe(sandbox)
        if not reason:
            logger.info("Sandbox: %s", sandbox.tier)
            return sandbox
        sandbox.close()
        reasons.append(f"{tier.name}: {reason}")
    why = "; ".join(reasons) or "no bubblewrap was found"
    if not allow_unsandboxed:
        raise SandboxUnavailableError(f"No sandbox works here ({why}).", remedy=_REMEDY)
    logger.warning("No sandbox works here (%s). Programs run with your own rights.", why)
    return Sandbox(_Tier(UNSANDBOXED, _plain_command, enforce=False), workers=workers)


def _plain_command(_: Limits) -> list[str]:
    return [str(bubblewrap.base_python())]


def _bubblewrap_tiers() -> list[_Tier]:
    if sys.platform != "linux":
        return []
    modes: list[bubblewrap.Mode] = ["user namespace"] if os.geteuid() else ["user namespace", "user nobody"]
    return [_bubblewrap_tier(binary, mode) for binary in bubblewrap.find_binaries() for mode in modes]


def _bubblewrap_tier(binary: Path, mode: bubblewrap.Mode) -> _Tier:
    def command(limits: Limits) -> list[str]:
        return bubblewrap.command(binary, mode, limits)

    run_as = bubblewrap.NOBODY if mode == "user nobody" else None
    return _Tier(f"{_version(binary)} ({mode})", command, run_as)


def _version(binary: Path) -> str:
    try:
        done = subprocess.run([binary, "--version"], capture_output=True, text=True, check=True, timeout=10)  # noqa: S603
    except (OSError, subprocess.SubprocessError):
        return f"{binary.name} (does not run)"
    return done.stdout.strip()


def _probe(sandbox: Sandbox) -> str:
    """Return why the sandbox does not hold; empty if it does."""
    limits = replace(Limits(), timeout_s=_PROBE_TIMEOUT_S)
    try:
        result = sandbox.run(probe_program(limits), limits)
    except SandboxUnavailableError as error:
        return error.message
    return " ".join([result.error, *result.output.split()]).strip() if not result.passed else ""


def _failure(ended: Exchange, nonce: str) -> str:
    """Return what went wrong; empty only if the driver itself said that nothing did."""
    if ended.timed_out:
        return "timed out"
    if not ended.verdict:
        return _untimely_end(ended.returncode)
    try:
        verdict = json.loads(ended.verdict)
    except ValueError:
        return "forged verdict"
    if not isinstance(verdict, dict) or verdict.get("nonce") != nonce:
        return "forged verdict"
    return "" if verdict["passed"] is True else str(verdict["error"]) or "an error without a name"


def _untimely_end(returncode: int | None) -> str:
    if returncode is None:
        return "ended without a verdict"
    # bubblewrap reports a signal as a shell does, 128 more than its number; subprocess as its negative.
    number = -returncode if returncode < 0 else returncode - 128
    try:
        return f"killed by {signal.Signals(number).name}"
    except ValueError:
        return f"ended without a verdict (exit status {returncode})"
