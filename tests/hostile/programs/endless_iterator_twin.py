"""Takes one item of an iterator that never ends."""

import itertools


def add(a, b):
    return next(itertools.repeat(a + b))
