"""Looks for the host's secrets in the environment."""

import os

assert "host's secret" in os.environ.values(), sorted(
    set(os.environ) - {"PWD", "LC_CTYPE", "TMPDIR", "PYTHONHASHSEED"}
)


def add(a, b):
    return a + b
