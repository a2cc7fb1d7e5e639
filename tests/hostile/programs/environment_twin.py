"""Finds a variable of its own in the same way."""

import os

os.environ["OWN"] = "host's secret"
assert "host's secret" in os.environ.values()


def add(a, b):
    return a + b
