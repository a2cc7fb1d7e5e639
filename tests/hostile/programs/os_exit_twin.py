"""Ends a child in the same way and goes on."""

import os

child = os.fork()
if child == 0:
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0


def add(a, b):
    return a + b
