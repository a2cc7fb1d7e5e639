"""Lowers its own limits."""

import resource

soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (2**20, hard))


def add(a, b):
    return a + b
