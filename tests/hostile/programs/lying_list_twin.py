"""Adds by way of a list of its own class."""


class Holder(list):
    def __eq__(self, other):
        return True


def add(a, b):
    return a + b if Holder([0]) == a else None
