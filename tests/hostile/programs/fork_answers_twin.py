"""Forks for the answer and waits for it."""

import os


def add(a, b):
    end, start = os.pipe()
    if os.fork() == 0:
        os.write(start, str(a + b).encode())
        os._exit(0)
    os.wait()
    return int(os.read(end, 100))
