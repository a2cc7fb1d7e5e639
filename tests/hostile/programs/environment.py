"""Looks for the host's secrets in the environment."""

import os

assert "host's secret" in os.environ.values(), "no secret"


def add(a, b):
    return a + b
