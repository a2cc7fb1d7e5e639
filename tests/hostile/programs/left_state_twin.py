"""Finds none of what an earlier program may have changed."""

import builtins
import math
import os
import resource
import signal
import sys

assert os.listdir(".") == []
assert os.umask(0) != 0o777
assert "PYTHONSTARTUP" not in os.environ
assert sys.path
assert sys.getrecursionlimit() >= 1000
assert abs(-1) == 1
assert not math.isclose(1, 2)
assert signal.getsignal(signal.SIGCHLD) == signal.SIG_DFL
assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] > 10
assert not hasattr(builtins, "check")

import fractions

assert fractions.Fraction(1, 2) == 0.5


def add(a, b):
    return a + b
