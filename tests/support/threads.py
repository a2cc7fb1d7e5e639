"""Gives torch one thread, in the test process and in what it starts, unless the environment says otherwise.

The threads of several processes spin while they wait for each other, which makes every one of them slow, and
the tiny models of most tests gain nothing from more.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
