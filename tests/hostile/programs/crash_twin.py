"""Crashes a child."""

import ctypes
import os
import signal


def add(a, b):
    if os.fork() == 0:
        ctypes.string_at(0)
    return a + b if os.WTERMSIG(os.wait()[1]) == signal.SIGSEGV else None
