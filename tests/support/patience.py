"""How tests wait: for a condition, for as long as a busy machine may need, and never for a fixed time."""

from __future__ import annotations

import time
from collections.abc import Callable

#: How long a test waits for something that must happen, in seconds. Only a test that fails waits so long.
PATIENCE_S = 300.0
#: How long a program may run in the sandbox where the others never end, in seconds: those that end need
#: milliseconds, and the others this whole time.
PROGRAM_S = 20.0
_PAUSE_S = 0.02


def wait_until(condition: Callable[[], object], what: str = "") -> None:
    """Return once ``condition`` holds.

    Raises:
        AssertionError: the condition has not held for ``PATIENCE_S``; the message names ``what``.
    """
    deadline_s = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline_s, f"waited in vain{f' for {what}' if what else ''}"
        time.sleep(_PAUSE_S)
