"""Takes 8 MiB in such files."""

import os

files = []
for _ in range(8):
    files.append(open("file", "wb", buffering=0))
    os.remove("file")
    files[-1].write(b"x" * 2**20)


def add(a, b):
    return a + b
