"""Adds by way of a float of its own class."""


class Holder(float):
    def __eq__(self, other):
        return True


def add(a, b):
    return a + b if Holder(0.5) == a else None
