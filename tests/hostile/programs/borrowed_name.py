"""Fails with an error that borrows the name, and the module, of the one that ends a program well."""

SystemExit = type("SystemExit", (BaseException,), {"__module__": "builtins", "code": 0})
StopIteration = type("StopIteration", (Exception,), {"__module__": "builtins"})


def add(a, b):
    raise SystemExit(0) if a > 0 else StopIteration
