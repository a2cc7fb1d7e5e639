"""Finds a file of its own in the same way."""

import os


def readable(descriptor):
    try:
        return os.pread(descriptor, 100, 0)
    except OSError:
        return b""


with open("own", "wb+") as file:
    file.write(b"host's secret")
    file.flush()
    assert any(b"host's secret" in readable(descriptor) for descriptor in range(3, 1024))


def add(a, b):
    return a + b
