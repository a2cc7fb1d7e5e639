"""Asks whether its output is a terminal."""

import os

assert not os.isatty(1)


def add(a, b):
    return a + b
