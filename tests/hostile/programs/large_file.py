"""Writes one file of 32 MiB, which the folder would hold."""

with open("large", "wb") as file:
    for _ in range(32):
        file.write(b"x" * 2**20)


def add(a, b):
    return a + b
