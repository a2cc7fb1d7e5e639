"""Has a handler for a signal that has no name."""

import os
import signal

signals = []
signal.signal(40, lambda number, _: signals.append(number))


def add(a, b):
    os.kill(os.getpid(), 40)
    return a + b if signals else None
