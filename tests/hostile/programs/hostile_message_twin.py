"""Reads the message of an error of its own class."""


class Own(Exception):
    def __str__(self):
        return "5"


def add(a, b):
    return a + b if str(Own()) == "5" else None
