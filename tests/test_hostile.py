"""Hostile programs against the sandbox: none passes, none does harm, and none spoils what comes after it.

Each file in ``hostile/`` is a solution of one small problem that does not solve it, or not unless it has done harm
before. Its twin does the same within bounds and passes, so that the check can fail.
"""

from __future__ import annotations

import os
import re
import secrets
import socket
import sys
import time
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path

import psutil
import pytest

from copilot_server.sandbox import Limits, Program, ProgramResult, Sandbox, open_sandbox, tiers

PROGRAMS = Path(__file__).parent / "hostile"
HOSTILE = sorted(path.stem.removesuffix("_twin") for path in PROGRAMS.glob("*_twin.py"))
MARK = f"copilot-server-hostile-{os.getpid()}"
SECRET = "host's secret"

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the sandbox is Linux's")

#: The problem: to add. One sum is made up now, so that no program knows it.
ANSWERS = [(2, 3, 5), (-5, 7, 2), (number := secrets.randbelow(10**6), 1, number + 1)]
EXACT = f"""
ANSWERS = {ANSWERS}

def check(candidate):
    for a, b, total in ANSWERS:
        assert candidate(a, b) == total
"""
#: As many tests compare numbers: with a builtin and a module, which a program may have replaced.
CLOSE = f"""
import math

ANSWERS = {ANSWERS}

def check(candidate):
    for a, b, total in ANSWERS:
        assert math.isclose(abs(candidate(a, b) - total), 0)
"""
COMPARE_CLOSELY = {"fake_module", "import_hook", "left_modules", "left_state", "patched_builtins", "patched_math"}

WRONG = "AssertionError: assert candidate(a, b) == total"
NOT_CLOSE = "AssertionError: assert math.isclose(abs(candidate(a, b) - total), 0)"
EPERM = "PermissionError: [Errno 1] Operation not permitted"
TIMEOUT = "timed out"
