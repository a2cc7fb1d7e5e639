"""Signals itself."""

import os
import signal

signals = []
signal.signal(signal.SIGUSR1, lambda number, _: signals.append(number))
os.kill(os.getpid(), signal.SIGUSR1)
assert signals == [signal.SIGUSR1]


def add(a, b):
    return a + b
