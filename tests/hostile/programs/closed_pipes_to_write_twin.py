"""Closes descriptors that nobody uses, and writes 8 MiB."""

import os

os.closerange(40, 64)
for number in range(8):
    with open(f"{number}", "wb") as file:
        file.write(b"x" * 2**20)


def add(a, b):
    return a + b
