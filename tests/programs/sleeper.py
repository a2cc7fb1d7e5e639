"""Sleeps under a mark, for tests that look for the living."""

import os
import sys

if os.fork() == 0:
    os.execv(sys.executable, [sys.executable, "-S", "-c", "import time; time.sleep(60)", MARK])
os.wait()
