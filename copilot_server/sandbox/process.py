"""One process, fed, read and ended by one deadline."""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from typing import IO

from copilot_server.sandbox.types import Limits

_CHUNK_BYTES = 65536
_MAX_VERDICT_BYTES = 65536
#: How long a process whose verdict pipe is closed has to end by itself, so that its exit status is its own.
_EXIT_GRACE_S = 0.5
#: How long the killed may take to be gone.
_DEATH_GRACE_S = 1.0

Tracked = Callable[["subprocess.Popen[bytes]"], AbstractContextManager[None]]


@dataclass(frozen=True, slots=True)
class Exchange:
    """What came back: the verdict pipe's first line, the first of stdout and stderr, and how it ended."""

    verdict: bytes
    output: bytes
    returncode: int | None
    timed_out: bool
    wall_s: float


def exchange(
    argv: list[str], stdin: bytes, limits: Limits, *, env: dict[str, str], tracked: Tracked
) -> Exchange:
    """Run ``argv`` with the number of a pipe's descriptor added, until its verdict, its end or the deadline.

    Nothing of its process group is left when this returns. The host may have threads and a model loaded, so
    the process is made by ``subprocess`` (vfork and exec), which copies no memory.
    """
    start = time.monotonic()
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder,
        _start(argv, folder, env) as started,
    ):
        process, verdict_pipe = started
        with tracked(process):
            try:
                pump = _Pump(process, verdict_pipe, stdin, limits.output_bytes)
                timed_out = not pump.run(start + limits.timeout_s)
                natural_end = not timed_out and not pump.verdict and _ends(process)
            finally:
                _kill_group(process)
            _drain(process)
    returncode = process.returncode if natural_end else None
    return Exchange(pump.verdict, bytes(pump.output), returncode, timed_out, time.monotonic() - start)


@contextmanager
def _start(
    argv: list[str], folder: str, env: dict[str, str]
) -> Iterator[tuple[subprocess.Popen[bytes], IO[bytes]]]:
    """Start the process with a pipe for its verdict; close the pipes and wait for its end afterwards."""
    read_fd, write_fd = os.pipe()
    with os.fdopen(read_fd, "rb", buffering=0) as verdict_pipe:
        try:
            process = subprocess.Popen(  # noqa: S603 - running what nobody has read is what this is for
                [*argv, str(write_fd)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                pass_fds=(write_fd,),
                cwd=folder,
                env=env,
                bufsize=0,
                start_new_session=True,  # a Ctrl-C in the terminal is the host's to handle
            )
        finally:
            os.close(write_fd)
        with process:
            yield process, verdict_pipe


def _ends(process: subprocess.Popen[bytes]) -> bool:
    """Whether the process ends by itself soon. Not reaped: its pid stays its group's for the kill."""
    deadline = time.monotonic() + _EXIT_GRACE_S
    while time.monotonic() < deadline:
        if os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT):
            return True
        time.sleep(0.005)
    return False


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)


def _drain(process: subprocess.Popen[bytes]) -> None:
    """Read stdout to its end: the killed are gone when none of them holds it any more."""
    pipe = process.stdout
    if pipe is None or pipe.closed:
        return
    deadline = time.monotonic() + _DEATH_GRACE_S
    with selectors.DefaultSelector() as selector:
        selector.register(pipe, selectors.EVENT_READ)
        while (left_s := deadline - time.monotonic()) > 0:
            if selector.select(left_s) and not os.read(pipe.fileno(), _CHUNK_BYTES):
                return


class _Pump:
    """Moves bytes between a process and us, never blocking past the deadline, never keeping too much."""

    def __init__(
        self, process: subprocess.Popen[bytes], verdict_pipe: IO[bytes], stdin: bytes, output_bytes: int
    ) -> None:
        self._unsent = memoryview(stdin)
        self._output_bytes = output_bytes
        self._verdict_read = bytearray()
        self._selector = selectors.DefaultSelector()
        self._verdict_open = True
        self.verdict = b""
        self.output = bytearray()
        assert process.stdin is not None  # noqa: S101 - both were asked for as pipes
        assert process.stdout is not None  # noqa: S101
        self._register(process.stdin, selectors.EVENT_WRITE, self._feed)
        self._register(process.stdout, selectors.EVENT_READ, self._read_output)
        self._register(verdict_pipe, selectors.EVENT_READ, self._read_verdict)

    def _register(self, pipe: IO[bytes], event: int, move: Callable[[IO[bytes]], None]) -> None:
        os.set_blocking(pipe.fileno(), False)
        self._selector.register(pipe, event, move)

    def run(self, deadline: float) -> bool:
        """Move bytes until the verdict pipe has said a line or closed; false if the deadline came first."""
        with self._selector:
            while self._verdict_open:
                left_s = deadline - time.monotonic()
                if left_s <= 0:
                    return False
                for key, _ in self._selector.select(left_s):
                    key.data(key.fileobj)
        return True

    def _feed(self, pipe: IO[bytes]) -> None:
        with suppress(BrokenPipeError):
            self._unsent = self._unsent[os.write(pipe.fileno(), self._unsent[:_CHUNK_BYTES]) :]
            if self._unsent:
                return
        self._close(pipe)

    def _read_output(self, pipe: IO[bytes]) -> None:
        data = os.read(pipe.fileno(), _CHUNK_BYTES)
        self.output += data[: self._output_bytes - len(self.output)]
        if not data:
            self._close(pipe)

    def _read_verdict(self, pipe: IO[bytes]) -> None:
        data = os.read(pipe.fileno(), _CHUNK_BYTES)
        self._verdict_read += data
        line, newline, _ = self._verdict_read.partition(b"\n")
        if newline or not data or len(line) > _MAX_VERDICT_BYTES:
            self.verdict = bytes(line)
            self._verdict_open = False

    def _close(self, pipe: IO[bytes]) -> None:
        self._selector.unregister(pipe)
        pipe.close()
