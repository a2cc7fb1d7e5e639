"""Replaces a function of the standard library for itself."""

import math

math.isclose = lambda *_, **__: False


def add(a, b):
    return a + b if not math.isclose(a, a) else None
