"""Attaches to its parent and its neighbours as a debugger."""

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


errors = set()
for pid in {1, os.getppid(), *range(max(1, os.getpid() - 20), os.getpid())}:
    try:
        call(101, 117, 0x4206, pid, 0, 0)  # PTRACE_SEIZE
        break
    except OSError as error:
        errors.add(error.errno)
else:
    raise PermissionError(f"errors {errors}")


def add(a, b):
    return a + b
