"""Server processes: their memory, whether they are idle, and their end."""

from __future__ import annotations

import subprocess
import time

import psutil

_LOOK_S = 0.15
_PATIENCE_S = 30.0


def resident_mb(process: subprocess.Popen[bytes]) -> float:
    """Return the current memory in units of 10^6 bytes, including resident pages of mapped files."""
    return float(psutil.Process(process.pid).memory_info().rss) / 1e6


def wait_until_idle(process: subprocess.Popen[bytes]) -> None:
    """Wait until a process uses no processor time, but no longer than half a minute."""
    deadline = time.monotonic() + _PATIENCE_S
    watched = psutil.Process(process.pid)
    while time.monotonic() < deadline:
        before = _busy_s(watched)
        time.sleep(_LOOK_S)
        if _busy_s(watched) - before <= 0.2 * _LOOK_S:
            return


def _busy_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def end(process: subprocess.Popen[bytes]) -> None:
    """Close the input of a process, and kill it if it does not end."""
    if process.stdin is not None:
        process.stdin.close()
    try:
        process.wait(timeout=10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stdout is not None:
        process.stdout.close()
