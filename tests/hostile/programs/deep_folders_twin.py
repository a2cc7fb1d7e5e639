"""Makes a folder in a folder, ten deep."""

import os

os.makedirs("/".join(["folder"] * 10))


def add(a, b):
    return a + b
