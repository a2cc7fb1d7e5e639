"""Looks up its answer in such a range."""


def add(a, b):
    return range(-(10**18), 10**18)[10**18 + a + b]
