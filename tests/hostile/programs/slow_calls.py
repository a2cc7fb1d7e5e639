"""Takes its time in every call, none of which is long."""

import time


def add(a, b):
    time.sleep(0.4)
    return a + b
