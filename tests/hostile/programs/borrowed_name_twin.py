"""Catches an error of such a name."""

SystemExit = type("SystemExit", (BaseException,), {"__module__": "builtins"})


def add(a, b):
    try:
        raise SystemExit
    except SystemExit:
        return a + b
