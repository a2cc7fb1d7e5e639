"""Replaying a step's kernels as one captured graph, instead of launching hundreds of them one by one."""

from __future__ import annotations

import gc
from collections import Counter, OrderedDict
from collections.abc import Callable, Hashable
from typing import Protocol, TypeVar, cast

import torch

T = TypeVar("T")

#: The most graphs that are kept. The warm-up captures about 90 (``loading.warm_up``); a batch that shrinks
#: from 256 sequences to none needs as many again.
MOST_GRAPHS = 160

#: After the warm-up, a key is captured once it has come up this many times. Capturing takes longer than
#: several steps, so it does not pay for a shape that comes up once while someone types.
CAPTURED_AT = 3


class Graphs(Protocol):
    """Runs a function whose work depends only on ``key`` and on the contents of static buffers."""

    def run(self, key: Hashable, function: Callable[[], T]) -> T:
        """What ``function`` returns; tensors in it are valid until the next call."""
        ...

    def clear(self) -> None:
        """Forget everything captured, as when static buffers move to other addresses."""
        ...

    def finish_warm_up(self) -> None:
        """From now on, capture only what comes up again and again."""
        ...


class Eager:
    """Runs every function as it is, without graphs."""

    def run(self, key: Hashable, function: Callable[[], T]) -> T:  # noqa: ARG002 - as in Graphs
        """See ``Graphs.run``."""
        return function()

    def clear(self) -> None:
        """See ``Graphs.clear``; there is nothing to forget."""

    def finish_warm_up(self) -> None:
        """See ``Graphs.finish_warm_up``; nothing is ever captured."""


#: Captures a function: returns one that replays it, and gives what the function returned.
Capture = Callable[[Callable[[], object]], Callable[[], object]]


class BoundedGraphs:
    """Keeps what was captured, by key, and drops the least recently used graph when there are too many.

    Until ``finish_warm_up`` is called, every key is captured when it first comes up.
    """

    def __init__(self, capture: Capture, most: int = MOST_GRAPHS) -> None:
        self._capture = capture
        self._most = most
        self._replays: OrderedDict[Hashable, Callable[[], object]] = OrderedDict()
        self._seen: Counter[Hashable] = Counter()
        self._is_warm = False

    def __len__(self) -> int:
        return len(self._replays)

    def run(self, key: Hashable, function: Callable[[], T]) -> T:
        """See ``Graphs.run``."""
        if key not in self._replays:
            self._seen[key] += 1
            if self._is_warm and self._seen[key] < CAPTURED_AT:
                return function()
            self._keep(key, self._capture(function))
        self._replays.move_to_end(key)
        return cast("T", self._replays[key]())  # what this key's function returned

    def clear(self) -> None:
        """See ``Graphs.clear``."""
        self._replays.clear()

    def finish_warm_up(self) -> None:
        """See ``Graphs.finish_warm_up``."""
        self._is_warm = True

    def _keep(self, key: Hashable, replay: Callable[[], object]) -> None:
        self._replays[key] = replay
        if len(self._replays) > self._most:
            oldest, _ = self._replays.popitem(last=False)
            del self._seen[oldest]


class CudaGraphs(BoundedGraphs):
    """Captures functions as CUDA graphs.

    A function must read and write the same addresses each time, never ask the device for a value, and be
    harmless to run twice. All graphs take their memory from one pool: they run one after the other, and no
    graph reads what another has left there.
    """

    def __init__(self) -> None:
        super().__init__(self._capture_on_stream)
        self._pool = torch.cuda.graph_pool_handle()
        self._stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]

    def _capture_on_stream(self, function: Callable[[], object]) -> Callable[[], object]:
        """Run once, so that kernels are compiled and libraries set up; then record."""
        current = torch.cuda.current_stream()
        with torch.cuda.stream(current):  # is current again afterwards, even if the recording fails
            self._stream.wait_stream(current)
            with torch.cuda.stream(self._stream):
                function()
            current.wait_stream(self._stream)
            torch.cuda.synchronize()
            graph, result = self._record(function)

        def replay() -> object:
            graph.replay()
            return result

        return replay

    def _record(self, function: Callable[[], object]) -> tuple[torch.cuda.CUDAGraph, object]:
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
