"""Looks at such a value, and answers with another."""


def add(a, b):
    return a + b if float("nan") != float("nan") else None
