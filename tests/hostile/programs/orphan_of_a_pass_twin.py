"""Ends its child before it answers."""

import os

if os.fork() == 0:
    os._exit(0)
os.wait()


def add(a, b):
    return a + b
