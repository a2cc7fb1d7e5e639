"""Fails with an error whose class has no name and whose message is empty: nothing seems wrong."""


def add(a, b):
    raise type("", (Exception,), {"__str__": lambda self: "", "__module__": ""})
