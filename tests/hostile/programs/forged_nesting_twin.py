"""Answers with what is in many brackets."""


def add(a, b):
    value = [a + b]
    for _ in range(100):
        value = [value]
    while isinstance(value, list):
        (value,) = value
    return value
