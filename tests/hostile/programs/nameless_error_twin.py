"""Catches such an error."""


def add(a, b):
    try:
        raise type("", (Exception,), {})
    except Exception:
        return a + b
