"""Recurses in C until the stack is full."""

import sys


def add(a, b):
    sys.setrecursionlimit(10**9)
    value = []
    for _ in range(200_000):
        value = [value]
    return repr(value)
