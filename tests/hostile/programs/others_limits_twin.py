"""Lowers a limit of its own."""

import resource

resource.prlimit(0, resource.RLIMIT_CORE, (0, 0))


def add(a, b):
    return a + b
