"""The zygote: a Python that has imported what programs use, and forks the processes of each program.

In a PID namespace it is process 1: no signal from inside reaches it, every orphan becomes its child, and one
call kills everything that a program has left. It never reads a program's text or output: it passes on the
descriptors that the host sends, so that a process finds nothing in its memory that another was given.

This module runs inside the sandbox and imports only the standard library.
"""

from __future__ import annotations

import ctypes
import fcntl
import gc
import importlib
import importlib.util
import json
import os
import resource
import select
import signal
import site
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

from copilot_server.sandbox import candidate, disk, folder, judge, seccomp, upstream

#: What most programs import; imported once, here.
_MODULES = (
    "array bisect calendar cmath collections.abc copy datetime decimal enum fractions functools hashlib heapq"
    " inspect itertools json math numbers operator queue random re statistics string textwrap threading"
    " traceback types typing unicodedata"
)
_CONTROL = 0
_MAX_REQUEST_BYTES = 65536
#: No descriptor here is ever this high.
_HIGH = 128
#: How long a solution's process whose pipes are closed may take to end, before it is killed.
_EXIT_GRACE_S = 2.0
#: The pause between checks where the end of a process cannot be waited for.
_POLL_S = 0.001
#: If a program leaves more files than this, the worker is replaced.
_MAX_FILES = 1000
_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_SET_CHILD_SUBREAPER = 1, 4, 36


def main(settings: dict[str, Any]) -> None:
    """Serve the host's requests until the host has ended."""
    _refuse_unexpected_surroundings(settings)
    _confine(settings["run_as"])
    _preload(settings["preload"])
    os.chdir(settings["folder"])
    os.environ["TMPDIR"] = settings["folder"]
    zygote = _Zygote(settings)
    gc.collect()
    gc.freeze()
    zygote.serve()


def _refuse_unexpected_surroundings(settings: dict[str, Any]) -> None:
    """Exit unless all is as expected, since the zygote kills other processes and empties its folder."""
    if settings["first"] != _is_first():
        sys.exit("the sandbox has no processes of its own")
    if os.listdir(settings["folder"]):  # noqa: PTH208
        sys.exit("the sandbox's folder is not its own")


def _confine(run_as: int | None) -> None:
    if run_as is not None:
        os.setgroups([])
        os.setgid(run_as)
        os.setuid(run_as)
    # A signal that has a handler reaches process 1 even from inside.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    if sys.platform == "linux":
        # Inherited by every fork: no process of the same user may look into or change another.
        _prctl(_PR_SET_DUMPABLE, 0)
        # Process 1 dies with bubblewrap; becoming another user has undone that. Elsewhere a closed socket
        # shows that the host has ended, and leaves time to end what runs.
        _prctl(*(_PR_SET_PDEATHSIG, signal.SIGKILL) if _is_first() else (_PR_SET_CHILD_SUBREAPER, 1))


def _prctl(option: int, value: int) -> None:
    if _LIBC.prctl(option, ctypes.c_ulong(value), *map(ctypes.c_ulong, (0, 0, 0))):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


_LIBC = ctypes.CDLL(None, use_errno=True)


def _preload(packages: dict[str, str]) -> None:
    """Import the standard library's modules, and ``packages`` from their files, which no path lists."""
    for set_builtins in (site.setquit, site.setcopyright, site.sethelper):
        set_builtins()  # exit, license, help: a plain interpreter has them
    os.environ["OPENBLAS_NUM_THREADS"] = "1"  # forked processes have no other threads
    for name in _MODULES.split():
        importlib.import_module(name)
    for name, origin in packages.items():
        parts = [os.path.dirname(origin)] if origin.endswith("__init__.py") else None  # noqa: PTH120
        spec = importlib.util.spec_from_file_location(name, origin, submodule_search_locations=parts)
        if spec is None or spec.loader is None:
            raise ImportError(f"{origin} is not a module")
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])


class _Zygote:
    """Serves one program at a time."""

    def __init__(self, settings: dict[str, Any]) -> None:
        self._settings = settings
        self._null = os.open(os.devnull, os.O_RDWR)
        self._folder = settings["folder"]
        self._standing = _standing(self._folder)
        if settings["filter"]:
            # Kept by the module, so that no process of a program has to build the filter's common part.
            seccomp.bpf(os.getpid())

    def serve(self) -> None:
        """Answer each request with how its processes ended, until the host has ended."""
        with socket.socket(fileno=_CONTROL) as control:
            control.sendall(b"ready")
            while True:
                request, descriptors, _, _ = socket.recv_fds(control, _MAX_REQUEST_BYTES, 4)
                if not request:
                    return
                control.sendall(json.dumps(self._run(json.loads(request), descriptors)).encode())

    def _run(self, request: dict[str, Any], descriptors: list[int]) -> dict[str, Any]:
        deadline = time.monotonic() + request["timeout_s"]
        start = self._start_strict if request["check"] == "strict" else self._start_upstream
        pids: list[int] = []
        most = self._settings["watched_bytes"]
        watch = disk.Watch(self._folder, most) if most else None
        try:
            for pid in start(request["resources"], *descriptors):
                pids.append(pid)  # noqa: PERF402 - if one cannot be made, the others must be ended
            for descriptor in descriptors:
                os.close(descriptor)
            timed_out = not _wait(pids[-1], deadline, watch)
            codes = _codes(pids, watch)
        finally:
            _end(pids)
        excess = watch.excess if watch else ""
        return {"timed_out": timed_out, "codes": codes, "excess": excess, "stale": self._tidy()}

    def _start_strict(
        self, limits: dict[str, int], output: int, verdict: int, job: int, judge_job: int
    ) -> Iterator[int]:
        calls, answers = os.pipe(), os.pipe()
        yield self._fork(limits, [output, job, calls[0], answers[1]], lambda: candidate.serve(3, 4, 5))
        yield self._fork(
            limits,
            [output, judge_job, answers[0], calls[1], verdict],
            lambda: judge.judge(3, 4, 5, 6),
        )
        for descriptor in (*calls, *answers):
            os.close(descriptor)

    def _start_upstream(self, limits: dict[str, int], output: int, verdict: int, job: int) -> Iterator[int]:
        yield self._fork(limits, [output, job, verdict], lambda: upstream.run(3, 4))

    def _fork(self, limits: dict[str, int], descriptors: list[int], run: Callable[[], None]) -> int:
        """Fork a process that has only these descriptors: the first as its output, the others from 3 on.

        The judge is confined as the solution is: its tests may come from a file that anybody has written.
        """
        pid = os.fork()
        if pid:
            return pid
        try:
            self._enter(limits, descriptors)
            run()
        finally:
            os._exit(1)

    def _enter(self, limits: dict[str, int], descriptors: list[int]) -> None:
        output, *others = descriptors
        _arrange([self._null, output, output, *others])
        if sys.platform == "linux":
            _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        os.setsid()
        signal.signal(signal.SIGINT, signal.default_int_handler)
        _limit(limits, enforce=self._settings["enforce"])
        if self._settings["filter"]:
            seccomp.confine(may_fork=self._settings["may_fork"])

    def _tidy(self) -> str:
        """Empty the folder; return why this process must not serve another program, empty if it may."""
        try:
            folder.empty(self._folder, _MAX_FILES)
            os.utime(self._folder)
        except OSError as error:
            return f"its folder cannot be emptied: {error}"
        return "" if _standing(self._folder) == self._standing else "a program has changed its limits"


def _standing(path: str) -> tuple[Any, ...]:
    """Return what a process of the same user can change permanently about this one and its folder."""
    names = (name for name in dir(resource) if name.startswith("RLIMIT_"))
    limits = [resource.getrlimit(getattr(resource, name)) for name in names]
    standing = (limits, os.getpriority(os.PRIO_PROCESS, 0), os.stat(path).st_mode)  # noqa: PTH116
    if sys.platform != "linux":
        return standing
    return (*standing, os.sched_getscheduler(0), os.sched_getaffinity(0), os.listxattr(path))


def _arrange(descriptors: list[int]) -> None:
    """Renumber the descriptors to 0, 1, 2 and so on, and close all others."""
    # Copied first, so that none overwrites another.
    copies = [fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, _HIGH) for descriptor in descriptors]
    for number, descriptor in enumerate(copies):
        os.dup2(descriptor, number, inheritable=number <= 2)
    os.closerange(len(copies), _HIGH + len(copies))


def _limit(limits: dict[str, int], *, enforce: bool) -> None:
    """Set the limits; ``enforce``: a limit that cannot be set is an error."""
    for name, value in limits.items():
        try:
            resource.setrlimit(getattr(resource, name), (value, value))
        except (AttributeError, ValueError, OSError):
            if enforce:
                raise


def _is_first() -> bool:
    """Whether this process is the first of a PID namespace, in which every process descends from it."""
    return os.getpid() == 1


def _wait(pid: int, deadline: float, watch: disk.Watch | None) -> bool:
    """Wait until the process or the host ends, the deadline or an excess; return whether one has ended."""
    if not hasattr(os, "pidfd_open"):
        while (ended := _code(pid) is not None) is False and time.monotonic() < deadline:
            time.sleep(_POLL_S)
        return ended
    ending = os.pidfd_open(pid)
    try:
        poll = select.poll()
        poll.register(ending, select.POLLIN)
        poll.register(_CONTROL, select.POLLRDHUP)
        while True:
            left_s = max(0.0, deadline - time.monotonic())
            if poll.poll((min(left_s, watch.pause_s) if watch else left_s) * 1000):
                return True
            if time.monotonic() >= deadline or (watch and watch.exceeded()):
                return False
    finally:
        os.close(ending)


def _codes(pids: list[int], watch: disk.Watch | None) -> list[int | None]:
    """Return each process's exit status, or its signal as a negative; None if it still runs."""
    codes = [_code(pid) for pid in pids]
    if codes[-1] == judge.CANDIDATE_GONE and codes[0] is None:
        _wait(pids[0], time.monotonic() + _EXIT_GRACE_S, watch)
        codes[0] = _code(pids[0])
    return codes


def _code(pid: int) -> int | None:
    ended = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    if ended is None:
        return None
    return ended.si_status if ended.si_code == os.CLD_EXITED else -ended.si_status


def _end(pids: list[int]) -> None:
    """Kill the processes and all that they started, and wait until they have ended."""
    if _is_first():
        with suppress(ProcessLookupError):
            os.kill(-1, signal.SIGKILL)
        with suppress(ChildProcessError):
            while True:
                os.wait()
    for pid in pids:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(pid, signal.SIGKILL)
    with suppress(ChildProcessError):
        while True:
            if not os.waitpid(-1, os.WNOHANG)[0]:
                _kill_children()
                time.sleep(_POLL_S)


def _kill_children() -> None:
    """Kill the children. Those of a process that dies become ours, so that repeating this reaches all."""
    with suppress(OSError), open(f"/proc/self/task/{os.getpid()}/children", encoding="ascii") as file:  # noqa: PTH123
        for pid in file.read().split():
            os.kill(int(pid), signal.SIGKILL)
