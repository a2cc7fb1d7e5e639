"""Defines a function of the same name, for its own use."""


def check(candidate):
    return candidate


def add(a, b):
    return check(a + b)
