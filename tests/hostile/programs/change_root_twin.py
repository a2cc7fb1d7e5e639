"""Changes its own folder."""

import os

os.mkdir("inner")
os.chdir("inner")


def add(a, b):
    return a + b
