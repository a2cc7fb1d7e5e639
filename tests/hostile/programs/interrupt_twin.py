"""Catches it itself."""


def add(a, b):
    try:
        raise KeyboardInterrupt
    except KeyboardInterrupt:
        return a + b
