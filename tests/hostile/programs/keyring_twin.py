"""Puts a key into a table of its own."""

table = {"name": "secret"}
assert table.pop("name") == "secret"


def add(a, b):
    return a + b
