"""Memory that runs out in the middle of a generation, by all the names that torch has for it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from copilot_server.engine.decoding.jobs import out_of_memory

#: What torch's allocator for the CPU says, and oneDNN, which computes for it, where a kernel finds no room.
_ALLOCATOR, _ONEDNN = "can't allocate memory", "could not create a primitive"


@contextmanager
def memory_errors() -> Iterator[None]:
    """Say what to do when memory runs out.

    oneDNN remembers the kernels it could not make and fails for ever after, so torch goes on without it:
    slower, and with answers.

    Raises:
        EngineError: memory ran out.
    """
    try:
        yield
    except torch.OutOfMemoryError as error:
        raise out_of_memory() from error
    except RuntimeError as error:
        if _ONEDNN in str(error):
            torch.backends.mkldnn.enabled = False  # type: ignore[assignment]
        elif _ALLOCATOR not in str(error):
            raise
        raise out_of_memory() from error
