"""Adds by way of a dict of its own class."""


class Holder(dict):
    def __eq__(self, other):
        return True


def add(a, b):
    return a + b if Holder({"sum": 0}) == a else None
