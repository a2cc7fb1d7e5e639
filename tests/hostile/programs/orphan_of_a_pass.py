"""Is right, and leaves behind a child that ignores every signal it can: what it does later nobody sees."""

import os
import signal
import sys

if os.fork() == 0:
    for number in range(1, signal.NSIG):
        try:
            signal.signal(number, signal.SIG_IGN)
        except (OSError, ValueError):
            pass
    os.closerange(0, 256)
    os.execv(sys.executable, [sys.executable, "-S", "-c", "import time; time.sleep(60)", MARK])


def add(a, b):
    return None
