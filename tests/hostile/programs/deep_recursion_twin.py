"""Recurses as deep as Python allows, and catches the error."""


def add(a, b):
    try:
        return add(a, b)
    except RecursionError:
        return a + b
