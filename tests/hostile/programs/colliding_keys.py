"""Answers with a table whose keys all have the same hash: making it takes a hundred million comparisons."""

MODULUS = 2**61 - 1


def add(a, b):
    class Key(int):
        def __hash__(self):
            return int.__int__(self)

    return {Key(number * MODULUS): number for number in range(1, 100_000)}
