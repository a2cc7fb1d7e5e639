"""Fails with an error that goes by the name of the one that ends a program well, from a module of that name."""

SystemExit = type("SystemExit", (BaseException,), {"__module__": "builtins", "code": 0})
StopIteration = type("StopIteration", (Exception,), {"__module__": "builtins"})


def add(a, b):
    raise SystemExit(0) if a > 0 else StopIteration
