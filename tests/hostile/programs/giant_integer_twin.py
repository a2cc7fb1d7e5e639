"""Adds by way of an integer of ten thousand digits."""


def add(a, b):
    return a + (1 << 33_000) + b - (1 << 33_000)
