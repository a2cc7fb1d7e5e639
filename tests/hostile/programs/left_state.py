"""Changes all that a process can keep: modules, builtins, limits, signals, the umask, the folder, the
environment.
"""

import builtins
import math
import os
import resource
import signal
import sys

os.umask(0o777)
os.environ["PYTHONSTARTUP"] = "poison"
sys.path[:] = []
sys.modules["fractions"] = math
sys.setrecursionlimit(60)
builtins.abs = lambda _: 0
math.isclose = lambda *_, **__: True
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_NOFILE, (10, 10))
os.chdir("/")


def add(a, b):
    return 0
