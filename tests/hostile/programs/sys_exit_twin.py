"""Catches its own exit and goes on."""

import sys


def add(a, b):
    try:
        sys.exit(0)
    except SystemExit as error:
        return a + b if error.code == 0 else None
