"""Adopts its grandchildren, and asks for no signal when its parent dies."""

import ctypes
import os

libc = ctypes.CDLL(None, use_errno=True)


def call(x86_64, aarch64, *arguments):
    number = {"x86_64": x86_64, "aarch64": aarch64}[os.uname().machine]
    words = [ctypes.c_long(value) if isinstance(value, int) else value for value in arguments]
    result = libc.syscall(number, *words)
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


import sys

assert libc.prctl(36, 1, 0, 0, 0) == 0  # PR_SET_CHILD_SUBREAPER
assert libc.prctl(1, 0, 0, 0, 0) == 0  # PR_SET_PDEATHSIG
if os.fork() == 0:
    os.fork()
    os.execv(sys.executable, [sys.executable, "-S", "-c", "import time; time.sleep(60)", MARK])


def add(a, b):
    return None
