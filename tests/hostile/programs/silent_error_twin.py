"""Raises an error without a word, and catches it."""


def add(a, b):
    try:
        raise Exception
    except Exception as error:
        return a + b if str(error) == "" else None
