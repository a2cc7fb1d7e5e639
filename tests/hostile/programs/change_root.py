"""Makes its own folder the root of all."""

import os

os.chroot(".")


def add(a, b):
    return a + b
