"""Ignores the same signals, then ends."""

import signal

ignored = 0
for number in range(1, signal.NSIG):
    try:
        signal.signal(number, signal.SIG_IGN)
        ignored += 1
    except (OSError, ValueError):
        pass
assert ignored > 10


def add(a, b):
    return a + b
