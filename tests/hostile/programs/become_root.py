"""Becomes root."""

import os

os.setuid(0) if os.getuid() else os.setuid(1)


def add(a, b):
    return a + b
