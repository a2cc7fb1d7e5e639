"""Closes descriptors of its own."""

import os

ends = os.pipe()
os.closerange(ends[0], ends[1] + 1)


def add(a, b):
    return a + b
