"""Closes descriptors of its own."""

import os

for end in os.pipe():
    os.close(end)


def add(a, b):
    return a + b
