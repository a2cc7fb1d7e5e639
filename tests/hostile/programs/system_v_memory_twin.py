"""Has a piece of memory without a name that two processes share."""

import mmap
import os

shared = mmap.mmap(-1, 4096)
if os.fork() == 0:
    shared[0] = 7
    os._exit(0)
os.wait()
assert shared[0] == 7


def add(a, b):
    return a + b
