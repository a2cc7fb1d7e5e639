"""Divides the cores among the test processes of pytest-xdist, for torch in them and in what they start.

The threads of several processes spin while they wait for each other, which makes every one of them slow.
"""

from __future__ import annotations

import os

_WORKERS = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
if _WORKERS > 1:
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // _WORKERS)))
