"""Says nothing to itself, through a pipe."""

import os


def add(a, b):
    end, start = os.pipe()
    os.write(start, b"")
    os.close(start)
    return a + b if os.read(end, 100) == b"" else None
