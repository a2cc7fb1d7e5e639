"""Reaches its own folder by a symbolic link."""

import os

os.mkdir("inner")
os.symlink("inner", "link")
with open("link/file", "w") as file:
    file.write("x")
assert os.listdir("inner") == ["file"]


def add(a, b):
    return a + b
