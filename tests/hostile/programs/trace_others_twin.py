"""Traces itself, in Python."""

import sys

sys.setprofile(lambda *_: None)
sys.setprofile(None)


def add(a, b):
    return a + b
