"""Forks, so that two processes answer every call: one's answer may be taken for the other's, none is right."""

import os

os.fork()


def add(a, b):
    return None
