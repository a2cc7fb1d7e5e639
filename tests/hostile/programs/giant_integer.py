"""Answers with an integer of twenty million digits."""


def add(a, b):
    return 1 << 66_000_000
