"""Waits a moment for itself."""

import signal


def add(a, b):
    signal.sigtimedwait([signal.SIGUSR1], 0.01)
    return a + b
