"""Puts a key into the kernel's keyring, where another process could find it."""

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


call(248, 217, b"user", b"name", b"secret", 6, -4)  # KEY_SPEC_USER_KEYRING


def add(a, b):
    return a + b
