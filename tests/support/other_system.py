"""Runs the command line as on Windows or macOS, as far as that can be had: without what those systems lack.

``python -m tests.support.other_system win32 ARGUMENTS`` is ``copilot-server ARGUMENTS``, but the package
finds another ``sys.platform`` and ``os.name``, and neither the modules nor the functions that Python lacks
there. Libraries and the file system stay those of Linux.
"""

from __future__ import annotations

import asyncio
import builtins
import mmap
import os
import select
import signal
import socket
import sys
import time
from collections.abc import Mapping
from types import ModuleType
from typing import Any

PACKAGE = "copilot_server"
#: Modules that Python has on no Windows.
UNIX_MODULES = frozenset(
    {"crypt", "fcntl", "grp", "posix", "pty", "pwd", "readline", "resource", "syslog", "termios", "tty"}
)
#: What the modules of Linux have alone, and what they share with macOS. Source: Python's documentation.
LINUX_ONLY = {
    "os": "O_TMPFILE getxattr listxattr memfd_create pidfd_open posix_fadvise sched_getaffinity "
    "sched_getscheduler",
    "mmap": "MADV_HUGEPAGE",
    "select": "epoll",
}
UNIX_ONLY = {
    "os": "O_CLOEXEC O_DIRECTORY O_NOFOLLOW O_NONBLOCK WNOHANG chown chroot fchmod fchown fork forkpty "
    "getegid geteuid getgid getgroups getloadavg getpgid getpriority getresuid getsid getuid killpg lchown "
    "lockf mkfifo nice openpty pread preadv pwrite register_at_fork sched_yield setpriority setsid setuid "
    "statvfs sysconf tcgetpgrp uname wait4 waitid",
    "mmap": "MADV_DONTNEED MADV_WILLNEED MAP_ANONYMOUS MAP_PRIVATE MAP_SHARED PROT_READ PROT_WRITE",
    "select": "poll",
    "signal": "ITIMER_PROF ITIMER_REAL SIGALRM SIGCHLD SIGHUP SIGKILL SIGPIPE SIGUSR1 SIGUSR2 alarm pause "
    "pthread_kill pthread_sigmask setitimer sigwait",
    "socket": "AF_UNIX sethostname",
    "time": "CLOCK_MONOTONIC clock_gettime pthread_getcpuclockid tzset",
}
_MODULES = {module.__name__: module for module in (mmap, os, select, signal, socket, sys, time)}


class _Reduced(ModuleType):
    """A module of the standard library without some names, and with other values of some."""

    def __init__(self, module: ModuleType, absent: frozenset[str], values: Mapping[str, str]) -> None:
        super().__init__(module.__name__)
        self.__dict__.update(values)
        self._module, self._absent = module, absent

    def __getattr__(self, name: str) -> object:
        if name in self._absent:
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r} on the other system")
        return getattr(self._module, name)


def pretend(platform: str) -> None:
    """Let the package find the modules of another system: ``win32`` or ``darwin``."""
    from copilot_server.engine.backends.cpu import library  # noqa: F401, PLC0415 - by this system's file name

    is_windows = platform == "win32"
    absent = [LINUX_ONLY, UNIX_ONLY] if is_windows else [LINUX_ONLY]
    values = {"sys": {"platform": platform}, "os": {"name": "nt"} if is_windows else {}}
    reduced = {
        name: _Reduced(
            module,
            frozenset(" ".join(names.get(name, "") for names in absent).split()),
            values.get(name, {}),
        )
        for name, module in _MODULES.items()
    }
    refused = UNIX_MODULES if is_windows else frozenset()
    real = builtins.__import__

    def other(name: str, globals_: Any = None, *rest: Any, **options: Any) -> ModuleType:  # noqa: ANN401
        if not str((globals_ or {}).get("__name__", "")).startswith(PACKAGE):
            return real(name, globals_, *rest, **options)
        root = name.partition(".")[0]
        if root in refused:
            raise ModuleNotFoundError(f"No module named {name!r} on the other system", name=name)
        return reduced[name] if name in reduced else real(name, globals_, *rest, **options)

    builtins.__import__ = other
    if is_windows:
        asyncio.SelectorEventLoop.add_signal_handler = _no_signal_handler  # type: ignore[method-assign]


def _no_signal_handler(*_: object) -> None:
    raise NotImplementedError


if __name__ == "__main__":
    pretend(sys.argv.pop(1))
    from copilot_server.cli import main

    main()
