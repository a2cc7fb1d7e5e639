"""Forks without end; its processes carry a mark in their name, as the test looks for survivors."""

import os
import sys

made = 0
while True:
    try:
        if os.fork() == 0:
            os.execv(sys.executable, [sys.executable, "-S", "-c", "import time; time.sleep(60)", MARK])
    except OSError:
        assert made > 1000, "stopped early"
        break
    made += 1


def add(a, b):
    return a + b
