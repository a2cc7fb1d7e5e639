"""Makes two processes and waits for them."""

import os

children = [os.fork() or os._exit(0) for _ in range(2)]
assert [os.waitpid(child, 0)[1] for child in children] == [0, 0]


def add(a, b):
    return a + b
