"""Traces a function of its own."""

import sys

seen = {}


def trace(frame, event, argument):
    seen.update(frame.f_locals)
    return trace


def summed(a, b):
    total = a + b
    return None


def add(a, b):
    sys.settrace(trace)
    summed(a, b)
    sys.settrace(None)
    return seen["total"]
