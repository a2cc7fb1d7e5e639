"""Makes a folder that others may not open."""

import os

os.mkdir("own", 0o700)
os.rmdir("own")


def add(a, b):
    return a + b
