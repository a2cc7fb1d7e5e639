"""Asks who it is."""

import os

assert os.getuid() == os.geteuid()


def add(a, b):
    return a + b
