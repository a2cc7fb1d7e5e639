"""Sets itself a deadline and meets it."""

import signal


class Late(Exception):
    pass


def ring(*_):
    raise Late


def add(a, b):
    signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, 0.01)
    try:
        signal.pause()
    except Late:
        return a + b
