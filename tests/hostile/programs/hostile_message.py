"""Fails with an error whose message ends the process well when it is read."""

import os


class Hostile(Exception):
    def __str__(self):
        os._exit(0)

    __repr__ = __str__


def add(a, b):
    raise Hostile(1, 2)
