"""Answers with a range that is longer than anything could hold."""


def add(a, b):
    return range(10**18)
