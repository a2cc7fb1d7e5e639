"""Adds by way of a tuple of its own class."""


class Holder(tuple):
    def __eq__(self, other):
        return True


def add(a, b):
    return a + b if Holder((0,)) == a else None
