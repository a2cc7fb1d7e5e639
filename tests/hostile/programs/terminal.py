"""Opens a terminal, makes it its own, and types into it for others."""

import fcntl
import os
import pty
import sys
import termios

try:
    for end in (0, 1, 2, *pty.openpty()):
        fcntl.ioctl(end, 0x540E, 0)  # TIOCSCTTY
        fcntl.ioctl(end, termios.TIOCSTI, b"x")
except OSError as error:
    raise PermissionError(str(error)) from None


def add(a, b):
    return a + b
