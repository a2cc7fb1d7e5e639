"""Ends a child with status 0 when it is called."""

import os


def add(a, b):
    if os.fork() == 0:
        os._exit(0)
    return a + b if os.wait()[1] == 0 else None
