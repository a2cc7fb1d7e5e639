"""Adds by way of a str of its own class."""


class Holder(str):
    def __eq__(self, other):
        return True


def add(a, b):
    return a + b if Holder("sum") == a else None
