"""Takes 64 MiB."""

hoard = [b"x" * 2**24 for _ in range(4)]
assert sum(map(len, hoard)) == 2**26


def add(a, b):
    return a + b
