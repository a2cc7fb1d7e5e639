"""Answers with what is not even equal to itself, a hundred thousand times over."""


def add(a, b):
    return [float("nan")] * 100_000
