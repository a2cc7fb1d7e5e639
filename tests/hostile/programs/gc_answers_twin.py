"""Asks the garbage collector for a table of its own."""

import gc

own = {"TABLE": {}}


def add(a, b):
    own["TABLE"][a, b] = a + b
    found = [held for held in gc.get_objects() if type(held) is dict and "TABLE" in held]
    return next(held["TABLE"][a, b] for held in found if held is own)
