"""The host's side of one zygote: starts it, hands it one program after another, and ends it."""

from __future__ import annotations

import json
import os
import select
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from copilot_server.errors import SandboxUnavailableError
from copilot_server.sandbox import folder
from copilot_server.sandbox.disk import Excess
from copilot_server.sandbox.types import Check, Limits

#: The modules that run inside, in the order of their imports.
_MODULES = (
    *("failure", "folder", "disk", "wire", "stepping", "comparing"),
    *("candidate", "judge", "upstream", "seccomp", "zygote"),
)
# No user packages and no site module, UTF-8 whatever the locale, and no bytecode files.
_PYTHON_FLAGS = ("-s", "-P", "-S", "-B", "-X", "utf8", "-c")
#: Loads the modules from the text that the control socket delivers, and serves.
_BOOTSTRAP = """
import json, os, sys, types
size, data = int.from_bytes(os.read(0, 4), "little"), b""
while len(data) < size:
    data += os.read(0, size - len(data))
job = json.loads(data)
for name in ("copilot_server", "copilot_server.sandbox"):
    sys.modules[name] = types.ModuleType(name)
    sys.modules[name].__path__ = []
for name, source in job["modules"].items():
    module = sys.modules[name] = types.ModuleType(name)
    exec(compile(source, name, "exec", dont_inherit=True), module.__dict__)
settings, job, source, data = job["settings"], None, None, None
module.main(settings)
"""
_START_TIMEOUT_S = 60.0
#: How long after a program's deadline the zygote may answer before the worker is replaced.
_GRACE_S = 5.0
#: How long a zygote whose socket has closed may take to end its processes.
_END_TIMEOUT_S = 10.0
_CHUNK_BYTES = 65536
_MAX_VERDICT_BYTES = 65536


@dataclass(frozen=True, slots=True)
class Launch:
    """How to start a zygote: a command up to the interpreter's own arguments, and the zygote's settings.

    ``folder``: the folder that programs may write to, as the zygote sees it. It is emptied after each
    program. ``first``: whether the zygote is the first process of a PID namespace, with users and files of
    its own. If not, the folder is a folder of the host, made for this zygote. ``preload``: the packages that
    it imports first: their files by their names. ``watched_bytes``: the most that a program may take in the
    folder, if the folder's file system does not limit it; 0 if it does, or nothing is to be limited.
    """

    argv: list[str]
    folder: str
    first: bool = False
    run_as: int | None = None
    enforce: bool = True
    filter: bool = True
    may_fork: bool = True
    watched_bytes: int = 0
    preload: dict[str, str] = field(default_factory=dict)

    def settings(self) -> dict[str, Any]:
        """Return the settings that are sent to the zygote."""
        names = ("folder", "first", "run_as", "enforce", "filter", "may_fork", "watched_bytes", "preload")
        return {name: getattr(self, name) for name in names}


@dataclass(frozen=True, slots=True)
class Ended:
    """The end of a program: the verdict pipe's bytes, the start of the output, and how the processes ended.

    ``codes``: the exit status of the solution's process, then of the judge's; a signal is negative, None
    means that the process still ran. ``excess``: whether the program was ended since it took too much of the
    disk, or is suspected of it.
    """

    verdict: bytes
    output: bytes
    codes: tuple[int | None, ...]
    timed_out: bool
    wall_s: float
    excess: Excess = ""


class Worker:
    """One zygote. One thread gives it programs; any thread may end it.

    The thread that starts it must outlive it: the kernel takes the end of that thread as the parent's death.
    """

    def __init__(self, launch: Launch) -> None:
        """Start the zygote.

        Raises:
            SandboxUnavailableError: the zygote does not start.
        """
        self.stale = ""
        self._launch = launch
        self._control, theirs = socket.socketpair()
        try:
            with theirs, tempfile.TemporaryFile() as errors:
                self._process = self._start(theirs, errors)
        except BaseException:
            self._control.close()
            self._remove_folder()
            raise

    def _start(self, theirs: socket.socket, errors: IO[bytes]) -> subprocess.Popen[bytes]:
        try:
            process = subprocess.Popen(  # noqa: S603 - running unread programs is its purpose
                [*self._launch.argv, *_PYTHON_FLAGS, _BOOTSTRAP],
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=errors,
                cwd="/",
                env={"PYTHONHASHSEED": "0"},
                start_new_session=True,  # the host alone handles Ctrl-C
            )
        except OSError as error:
            raise SandboxUnavailableError(f"The sandbox could not be started: {error}.") from error
        theirs.close()
        self._control.settimeout(_START_TIMEOUT_S)
        try:
            self._control.sendall(_package(self._launch))
            ready = self._control.recv(16)
        except OSError:
            ready = b""
        if ready != b"ready":
            process.kill()
            process.wait()
            errors.seek(0)
            said = errors.read(4096).decode(errors="replace").strip().splitlines()
            raise SandboxUnavailableError(f"The sandbox did not start: {said[-1] if said else 'no reason'}.")
        return process

    def run(self, check: Check, jobs: list[bytes], limits: Limits, timeout_s: float) -> Ended | None:
        """Run a program, each of whose processes gets a job; return None if the zygote broke.

        Its processes are killed after ``timeout_s``. Nothing of the program is left when this returns, or
        ``stale`` says why the worker must be closed.
        """
        start = time.monotonic()
        request = {"check": check, "timeout_s": timeout_s, "resources": self._resources(check, limits)}
        with _pipe() as (output, their_output), _pipe() as (verdict, their_verdict), _files(jobs) as files:
            theirs = [their_output, their_verdict, *files]
            with suppress(OSError):
                socket.send_fds(
                    self._control, [json.dumps(request).encode()], [one.fileno() for one in theirs]
                )
            for one in theirs:
                one.close()
            kept = bytearray()
            reply = self._converse(output, kept, limits.output_bytes, start + timeout_s + _GRACE_S)
            wall_s = time.monotonic() - start
            if reply is None:
                self.stale = "it did not answer"
                return Ended(b"", bytes(kept), (), timed_out=True, wall_s=wall_s)
            if not reply:
                self.stale = "it broke"
                return None
            ended = json.loads(reply)
            self.stale = ended["stale"]
            said = verdict.read(_MAX_VERDICT_BYTES) if _readable(verdict) else b""
            codes, timed_out, excess = tuple(ended["codes"]), ended["timed_out"], ended["excess"]
            return Ended(said, bytes(kept), codes, timed_out, wall_s, excess)

    def _resources(self, check: Check, limits: Limits) -> dict[str, int]:
        resources = limits.resources()
        # The zygote and the judge count among the user's processes. A user who has other processes cannot
        # be limited in this way.
        resources["RLIMIT_NPROC"] += 2 if check == "strict" else 1
        if not self._launch.first:
            del resources["RLIMIT_NPROC"]
        # Queues outlive the processes that make them.
        return {**resources, "RLIMIT_MSGQUEUE": 0}

    def _converse(self, output: IO[bytes], kept: bytearray, most: int, deadline: float) -> bytes | None:
        """Read output until the zygote answers and the output ends; None if the deadline passes first."""
        poll = select.poll()
        poll.register(self._control, select.POLLIN)
        poll.register(output, select.POLLIN)
        while (left_s := deadline - time.monotonic()) > 0:
            ready = {number for number, _ in poll.poll(left_s * 1000)}
            if output.fileno() in ready:
                data = output.read(_CHUNK_BYTES)
                kept += data[: most - len(kept)]
                if not data:
                    poll.unregister(output)
            elif ready:
                try:
                    return self._control.recv(_CHUNK_BYTES)
                except OSError:
                    return b""
        return None

    def end(self) -> None:
        """Kill everything in the zygote, so that ``run`` returns. Any thread may call it."""
        with suppress(OSError):
            self._control.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """End the zygote and wait for its exit."""
        self.end()
        try:
            self._process.wait(_END_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._control.close()
        self._remove_folder()

    def _remove_folder(self) -> None:
        """Remove the programs' folder if it is a folder of the host; leave what cannot be removed."""
        if not self._launch.first:
            with suppress(OSError):
                folder.empty(self._launch.folder)
                Path(self._launch.folder).rmdir()


def _package(launch: Launch) -> bytes:
    here = Path(__file__)
    modules = {
        f"{__package__}.{name}": here.with_name(f"{name}.py").read_text(encoding="utf-8") for name in _MODULES
    }
    job = json.dumps({"modules": modules, "settings": launch.settings()}).encode()
    return len(job).to_bytes(4, "little") + job


@contextmanager
def _pipe() -> Iterator[tuple[IO[bytes], IO[bytes]]]:
    read_fd, write_fd = os.pipe()
    with os.fdopen(read_fd, "rb", buffering=0) as reader, os.fdopen(write_fd, "wb", buffering=0) as writer:
        yield reader, writer


@contextmanager
def _files(contents: list[bytes]) -> Iterator[list[IO[bytes]]]:
    """Put each content into a temporary file of its own, without a name."""
    with ExitStack() as stack:
        files = [stack.enter_context(_nameless_file()) for _ in contents]
        for file, content in zip(files, contents, strict=True):
            file.write(content)
            file.seek(0)
        yield files


def _nameless_file() -> IO[bytes]:
    if hasattr(os, "memfd_create"):
        return os.fdopen(os.memfd_create("job"), "r+b", buffering=0)
    return tempfile.TemporaryFile(buffering=0)


def _readable(pipe: IO[bytes]) -> bool:
    poll = select.poll()
    poll.register(pipe, select.POLLIN)
    return bool(poll.poll(0))
