"""Removes a folder that it is in."""

import os

os.mkdir("inner")
os.chdir("inner")
os.rmdir("../inner")


def add(a, b):
    return a + b
