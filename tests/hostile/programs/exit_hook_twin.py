"""Registers a hook that does nothing."""

import atexit

atexit.register(int)


def add(a, b):
    return a + b
