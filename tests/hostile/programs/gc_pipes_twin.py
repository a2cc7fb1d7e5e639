"""Asks the garbage collector for a function of its own, and mends it."""

import gc
import types


def broken(a, b):
    return None


def add(a, b):
    for found in gc.get_objects():
        if isinstance(found, types.FunctionType) and found.__name__ == "broken":
            found.__code__ = (lambda a, b: a + b).__code__
    return broken(a, b)
