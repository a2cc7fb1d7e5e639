"""Takes 960 MiB in files that no folder lists: each is removed while it is open."""

import os

files = []
for _ in range(60):
    files.append(open("file", "wb", buffering=0))
    os.remove("file")
    files[-1].write(b"x" * 2**24)


def add(a, b):
    return a + b
