"""Answers with an int of a class of its own that is honest."""


class Honest(int):
    def __hash__(self):
        return 0


def add(a, b):
    return Honest(a + b)
