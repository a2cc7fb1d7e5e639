"""Answers with an int of its own class that is honest."""


class Honest(int):
    def __hash__(self):
        return 0


def add(a, b):
    return Honest(a + b)
