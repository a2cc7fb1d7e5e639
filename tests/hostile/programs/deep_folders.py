"""Leaves a folder in a folder, as deep as it can: too deep for a path, and for whoever removes it by
recursion.
"""

import os

for _ in range(3_000):
    os.mkdir("folder")
    os.chdir("folder")


def add(a, b):
    return None
