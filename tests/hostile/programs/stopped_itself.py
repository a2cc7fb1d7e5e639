"""Stops itself, so that it never ends and never answers."""

import os
import signal


def add(a, b):
    os.kill(os.getpid(), signal.SIGSTOP)
