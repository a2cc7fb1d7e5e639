"""Makes the same grandchild and waits for it."""

import os

if os.fork() == 0:
    child = os.fork()
    if child == 0:
        os._exit(0)
    os._exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
assert os.wait()[1] == 0


def add(a, b):
    return a + b
