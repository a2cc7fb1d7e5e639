"""Catches a failed assertion of its own."""


def add(a, b):
    try:
        assert a is None
    except AssertionError:
        return a + b
