"""Sets flags of a pipe of its own."""

import fcntl
import os

end, start = os.pipe()
fcntl.fcntl(end, fcntl.F_SETFL, os.O_NONBLOCK)


def add(a, b):
    return a + b
