"""Walks its own frames to a list and appends to it."""

import sys


def append(value):
    sys._getframe(1).f_locals["result"].append(value)


def add(a, b):
    result = []
    append(a + b)
    return result[0]
