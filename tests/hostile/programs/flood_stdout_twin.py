"""Writes to stdout sixteen times what is kept of it."""

import os

for _ in range(16):
    unsent = b"x" * 65536
    while unsent:
        unsent = unsent[os.write(1, unsent) :]


def add(a, b):
    return a + b
