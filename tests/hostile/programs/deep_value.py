"""Answers with a list in a list, a hundred thousand times."""


def add(a, b):
    value = a + b
    for _ in range(100_000):
        value = [value]
    return value
