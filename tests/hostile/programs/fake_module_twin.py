"""Makes a module of its own under a name of its own."""

import sys
import types

fake = types.ModuleType("own_math")
fake.total = lambda a, b: a + b
sys.modules["own_math"] = fake

import own_math


def add(a, b):
    return own_math.total(a, b)
