"""Sends its own call a number, through a pipe."""

import os


def add(a, b):
    end, start = os.pipe()
    os.write(start, str(a + b).encode())
    return int(os.read(end, 100))
