"""Answers with an iterator that never ends."""

import itertools


def add(a, b):
    return itertools.repeat(a + b)
