"""What runs beside a test."""

from __future__ import annotations

import psutil


def command_line(process: psutil.Process) -> list[str]:
    """The arguments of a process; none once it has ended, also if nobody has taken its exit status yet."""
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def children(pid: int, argument: str) -> list[psutil.Process]:
    """The running processes below ``pid`` that have this argument; none once ``pid`` has ended."""
    try:
        below = psutil.Process(pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []
    return [process for process in below if argument in command_line(process)]


def running(argument: str) -> list[psutil.Process]:
    """All processes of this machine that have this argument."""
    return [process for process in psutil.process_iter() if argument in command_line(process)]
