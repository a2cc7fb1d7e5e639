"""The memory of a model: what the garbage collector need not search, and giving back what is not needed."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import sys


def exempt_from_collection(*, again: bool) -> None:
    """Keep the garbage collector from searching the model's objects, which stay, while the user types.

    ``again``: search those of the model before too, once. That takes a few tenths of a second, for which a
    session's first load does not hold up the other sessions of the process.
    """
    if again:
        gc.unfreeze()
    gc.collect()
    gc.freeze()


def give_back_memory() -> None:
    """Give what a model has left behind back to the operating system."""
    exempt_from_collection(again=True)
    # glibc keeps what was freed for the next allocation. Other C libraries have no such function.
    if sys.platform == "linux":
        with contextlib.suppress(AttributeError):
            ctypes.CDLL(None).malloc_trim(0)
