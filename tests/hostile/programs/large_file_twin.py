"""Writes one file of 8 MiB."""

with open("large", "wb") as file:
    for _ in range(8):
        file.write(b"x" * 2**20)


def add(a, b):
    return a + b
