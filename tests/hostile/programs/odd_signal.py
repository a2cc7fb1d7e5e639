"""Dies of a signal that has no name."""

import os


def add(a, b):
    os.kill(os.getpid(), 40)
