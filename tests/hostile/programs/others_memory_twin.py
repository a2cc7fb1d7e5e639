"""Reads the memory of a process of its own, through a file that both have."""

import mmap
import os

shared = mmap.mmap(-1, 8)


def add(a, b):
    if os.fork() == 0:
        shared[:] = (a + b).to_bytes(8, "little", signed=True)
        os._exit(0)
    os.wait()
    return int.from_bytes(shared[:], "little", signed=True)
