"""Answers with a string of a hundred megabytes."""


def add(a, b):
    return "x" * 100_000_000
