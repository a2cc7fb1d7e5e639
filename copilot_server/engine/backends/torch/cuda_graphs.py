"""Replaying a step's kernels as one captured graph, instead of launching hundreds of them one by one."""

from __future__ import annotations

import gc
from collections.abc import Callable, Hashable
from typing import Any, Protocol, TypeVar, cast

import torch

T = TypeVar("T")


class Graphs(Protocol):
    """Runs a function whose work depends on nothing but ``key`` and the contents of static buffers."""

    def run(self, key: Hashable, function: Callable[[], T]) -> T:
        """What ``function`` returns; tensors in it are valid until the next call."""
        ...


class Eager:
    """The twin without graphs: runs every function as it is."""

    def run(self, key: Hashable, function: Callable[[], T]) -> T:  # noqa: ARG002 - as in Graphs
        """See ``Graphs.run``."""
        return function()


class CudaGraphs:
    """Captures each function when its key first comes up, and replays it from then on.

    A function must read and write the same addresses each time, never ask the device for a value, and be
    harmless to run twice. All graphs take their memory from one pool: they run one after the other, and
    what one leaves there is of no use to the next.
    """

    def __init__(self) -> None:
        self._captured: dict[Hashable, tuple[torch.cuda.CUDAGraph, Any]] = {}
        self._pool = torch.cuda.graph_pool_handle()
        self._stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]

    def __len__(self) -> int:
        return len(self._captured)

    def run(self, key: Hashable, function: Callable[[], T]) -> T:
        """See ``Graphs.run``."""
        if key not in self._captured:
            self._captured[key] = self._capture(function)
        graph, result = self._captured[key]
        graph.replay()
        return cast("T", result)  # what this key's function returned

    def _capture(self, function: Callable[[], T]) -> tuple[torch.cuda.CUDAGraph, T]:
        """Run once, so that kernels are compiled and libraries set up; then record."""
        self._stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(self._stream):
            function()
        torch.cuda.current_stream().wait_stream(self._stream)
        torch.cuda.synchronize()
        graph = torch.cuda.CUDAGraph()
        collecting = gc.isenabled()
        gc.disable()  # freeing a tensor of another stream would spoil the recording
        try:
            with torch.cuda.graph(graph, self._pool, self._stream, "thread_local"):
                result = function()
        finally:
            if collecting:
                gc.enable()
        return graph, result
