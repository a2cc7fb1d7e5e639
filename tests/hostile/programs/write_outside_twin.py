"""Leaves a file in its own folder, found in the same way."""

import os


def writable(folder):
    try:
        with open(os.path.join(folder, "left-behind"), "w") as file:
            file.write("x")
    except OSError:
        return False
    return True


assert any(map(writable, [folder for folder, _, _ in os.walk(".")]))


def add(a, b):
    return a + b
