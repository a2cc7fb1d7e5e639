"""Catches the exit of a function that it calls."""


def leave():
    raise SystemExit(0)


def add(a, b):
    try:
        leave()
    except SystemExit:
        return a + b
