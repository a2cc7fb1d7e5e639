"""Takes over the import statement for one module of its own."""

import builtins
import types

fake = types.ModuleType("own_math")
fake.total = lambda a, b: a + b
real = builtins.__import__


def load(name, *arguments, **keywords):
    return fake if name == "own_math" else real(name, *arguments, **keywords)


builtins.__import__ = load

import own_math


def add(a, b):
    return own_math.total(a, b)
