"""What processes that work in the background do for the editor and the engine to have the processor."""

from __future__ import annotations

import os
import signal

#: At 10, Linux gives a process a tenth of what it gives to one of the usual priority; at 19, a seventieth.
NICENESS = 10


def lower_priority() -> None:
    """Leave the processor to the editor and the engine, but not for ever where they are always busy."""
    if hasattr(os, "nice"):
        os.nice(NICENESS)


def end_after(cpu_s: float) -> None:
    """Let the system end this process after so much processor time, whatever it does then; 0 for never.

    A parser in C can be interrupted in no other way.
    """
    if hasattr(signal, "setitimer"):
        signal.setitimer(signal.ITIMER_PROF, cpu_s)
