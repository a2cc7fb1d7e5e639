"""Memory that runs out during a generation, by all the names that Python and torch have for it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from copilot_server.errors import EngineError

#: How oneDNN, which computes for torch on a CPU, reports that a kernel found no memory.
ONEDNN_MESSAGE = "could not create a primitive"
#: How torch's allocators for the CPU and for Apple's GPUs report it.
ALLOCATOR_MESSAGES = ("can't allocate memory", "MPS backend out of memory")


@contextmanager
def memory_errors() -> Iterator[None]:
    """Turn memory that runs out into an error with a remedy.

    oneDNN remembers the kernels that it could not create and fails from then on, so that it is switched off:
    torch goes on without it, more slowly.

    Raises:
        EngineError: memory ran out.
    """
    try:
        yield
    except MemoryError as error:
        raise out_of_memory() from error
    except RuntimeError as error:
        if not _is_out_of_memory(error):
            raise
        raise out_of_memory() from error


def out_of_memory() -> EngineError:
    """The error for memory that ran out, with what to do about it."""
    return EngineError(
        "Memory ran out in the middle of a generation.",
        remedy="Choose a smaller model, or lower completion.max_prompt_tokens.",
    )


def _is_out_of_memory(error: RuntimeError) -> bool:
    torch = sys.modules.get("torch")  # an engine that needs no torch must not import it
    if torch is None:
        return False
    if ONEDNN_MESSAGE in str(error):
        torch.backends.mkldnn.enabled = False
        return True
    return isinstance(error, torch.OutOfMemoryError) or any(text in str(error) for text in ALLOCATOR_MESSAGES)
