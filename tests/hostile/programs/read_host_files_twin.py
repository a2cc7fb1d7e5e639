"""Reads a file of the standard library, as every import does."""

import os
from pathlib import Path

assert Path(os.__file__).read_text().startswith("r")


def add(a, b):
    return a + b
