"""Forks, so that two processes answer every call: one with the sum, one with nothing."""

import os

parent = os.getpid()
os.fork()


def add(a, b):
    return a + b if os.getpid() == parent else None
