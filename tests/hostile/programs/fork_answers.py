"""Forks, so that two processes answer every call, neither rightly: one's answers may pass for the other's."""

import os

os.fork()


def add(a, b):
    return None
