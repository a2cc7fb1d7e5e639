"""The ways to run the decoder on a device, from the fastest to the plainest, and why one was given up."""

from __future__ import annotations

import gc
import logging
from collections.abc import Callable, Hashable
from typing import TypeVar

import torch

from copilot_server.engine.backends.torch.cuda_graphs import Eager, Graphs
from copilot_server.engine.backends.torch.decoder import Decoder
from copilot_server.engine.backends.torch.kernels import Kernels
from copilot_server.engine.backends.torch.plan import EXACT_SHAPES, Shapes
from copilot_server.errors import EngineError

T = TypeVar("T")

_LOG = logging.getLogger(__name__)

#: The most characters of a compiler's or driver's message that a notice repeats.
MOST_CAUSE_CHARACTERS = 300


class FallbackChain:
    """Runs steps in the fastest way that works on this device.

    There are up to three ways: Triton's kernels replayed as CUDA graphs, plain PyTorch's kernels replayed as
    CUDA graphs, and plain kernels launched one by one. A step that fails is repeated in the next way, and the
    way that failed is given up until the model is loaded again. The weights and the KV cache stay as they
    are, since a step may be repeated from its beginning. If the last way fails too, the loader uses
    transformers instead.
    """

    def __init__(self, decoder: Decoder, graphs: Graphs, shapes: Shapes) -> None:
        self._decoder = decoder
        self._graphs = graphs
        self._shapes = shapes
        self._notices: list[str] = []

    @property
    def decoder(self) -> Decoder:
        """The layers, with the kernels in use."""
        return self._decoder

    @property
    def shapes(self) -> Shapes:
        """The shapes that grids are padded to."""
        return self._shapes

    @property
    def graphs(self) -> Graphs:
        """The graphs in use."""
        return self._graphs

    @property
    def notices(self) -> tuple[str, ...]:
        """Why each way was given up, one message each."""
        return tuple(self._notices)

    @property
    def way(self) -> str:
        """The way in use, as ``Triton's kernels, CUDA graphs``."""
        kernels = "plain kernels" if self._decoder.kernels.is_plain else "Triton's kernels"
        return f"{kernels}, {'no graphs' if isinstance(self._graphs, Eager) else 'CUDA graphs'}"

    @property
    def is_plainest(self) -> bool:
        """Whether no other way is left."""
        return self._decoder.kernels.is_plain and isinstance(self._graphs, Eager)

    def run(self, key: Hashable, function: Callable[[], T]) -> T:
        """See ``Graphs.run``."""
        return self._graphs.run(key, function)

    def attempt(self, step: Callable[[], T]) -> T:
        """What ``step`` returns in the fastest way in which it does not fail.

        Where memory runs out, the step is repeated once in the same way after all that was captured has been
        freed, since it may be another program that took the memory.

        Raises:
            Exception: what the plainest way raised.
        """
        freed = False
        while True:
            try:
                return step()
            except EngineError:
                raise  # it is a message for the user, and no other way would avoid it
            except Exception as error:
                frees = isinstance(error, torch.OutOfMemoryError) and not freed
                if self.is_plainest and not frees:
                    raise
                cause = describe_cause(error)
            # The exception no longer exists here, and neither do its frames' references to what failed.
            if frees:
                freed = True
                self.free_captured()
            else:
                self.give_up(cause)

    def give_up(self, cause: str) -> bool:
        """Go on in the next way, and say why; False if there is none."""
        if self.is_plainest:
            return False
        if not self._decoder.kernels.is_plain:
            self._decoder.kernels = Kernels(self._decoder.architecture)
            lost = "Triton's kernels"
        else:
            self._graphs.clear()
            self._graphs, self._shapes = Eager(), EXACT_SHAPES
            lost = "CUDA graphs"
        self.free_captured()
        self.add_notice(lost_notice(lost, self._decoder.device, cause))
        return True

    def add_notice(self, notice: str) -> None:
        """Log a message for the user and keep it among the ``notices``."""
        self._notices.append(notice)
        _LOG.warning("%s", notice)

    def free_captured(self) -> None:
        """Return the memory of everything that was captured, and what torch's allocator holds unused."""
        self._graphs.clear()
        free_unused_memory(self._decoder.device)


def lost_notice(lost: str, device: torch.device, cause: str) -> str:
    """The message for the user when a way to run the model is given up."""
    return f"On {device}, the model runs without {lost}, and therefore slower: {cause}"


def free_unused_memory(device: torch.device) -> None:
    """Give memory that nothing refers to any more back to the device."""
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()
    elif device.type == "mps":
        torch.mps.empty_cache()


def describe_cause(error: Exception) -> str:
    """An error's type and the first line of its message, for people."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    text = lines[0] if lines else "no message"
    cause = f"{type(error).__name__}: {text}"[:MOST_CAUSE_CHARACTERS]
    if "C compiler" in cause:
        cause += " Install gcc or clang, or set the environment variable CC."
    return cause
