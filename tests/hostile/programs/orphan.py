"""Leaves a grandchild in a session of its own, to outlive everything, and itself ends in error."""

import os
import sys
import time

if os.fork() == 0:
    try:
        os.setsid()
    except OSError:
        pass
    if os.fork() == 0:
        os.execv(sys.executable, [sys.executable, "-S", "-c", "import time; time.sleep(60)", MARK])
    os._exit(0)
time.sleep(0.3)
raise RuntimeError("the grandchild is on its own now")
