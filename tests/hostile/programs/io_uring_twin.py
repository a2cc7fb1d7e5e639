"""Waits for a pipe in the ordinary way."""

import os
import select

end, start = os.pipe()
os.write(start, b"x")
assert select.select([end], [], [], 1)[0] == [end]


def add(a, b):
    return a + b
