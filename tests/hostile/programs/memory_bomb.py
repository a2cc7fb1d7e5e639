"""Takes 4 GiB, in pieces, each one written to."""

hoard = [b"x" * 2**24 for _ in range(256)]


def add(a, b):
    return a + b
