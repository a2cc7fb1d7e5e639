"""Makes a process in a user namespace of its own."""

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


if call(56, 220, 0x10000000 | 17, 0, 0, 0, 0) == 0:
    os._exit(0)


def add(a, b):
    return a + b
