"""Sleeps when it is called, under a mark, with the alarm turned off."""

import signal
import subprocess
import sys


def add(a, b):
    signal.alarm(0)
    signal.setitimer(signal.ITIMER_REAL, 0)
    subprocess.run([sys.executable, "-S", "-c", "import time; time.sleep(60)", MARK])
    return a + b
