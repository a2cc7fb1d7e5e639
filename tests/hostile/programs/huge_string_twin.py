"""Measures a string of ten megabytes."""


def add(a, b):
    return a + b if len("x" * 10_000_000) == 10_000_000 else None
