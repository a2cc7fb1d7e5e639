"""Writes to stderr sixteen times what is kept of it."""

import os

for _ in range(16):
    unsent = b"x" * 65536
    while unsent:
        unsent = unsent[os.write(2, unsent) :]


def add(a, b):
    return a + b
