"""Kills its parent, the first process and everything else that it may, and is right only if that worked."""

import os
import signal
import time

parent = os.getppid()
for target in (parent, 1, -1):
    try:
        os.kill(target, signal.SIGKILL)
    except OSError:
        pass
time.sleep(0.2)
assert os.getppid() != parent, "the parent lives"
