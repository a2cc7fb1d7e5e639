"""Takes its answer from an endless generator."""

import itertools


def add(a, b):
    return next(number for number in itertools.count(a + b))
