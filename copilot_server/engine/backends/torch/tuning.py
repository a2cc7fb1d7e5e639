"""Choosing among ways to compute the same thing, by measuring each once on the device at hand."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Hashable, Sequence

import torch

#: Timed runs of each way; the median counts.
RUNS = 5

#: Cycles of the GPU, about a millisecond, in which the host queues the kernels to be timed, so that it is
#: not the host that is timed.
QUEUE_CYCLES = 2_000_000


class Tuner:
    """Remembers, for each key, which of several functions is the fastest here.

    Nothing is measured while a graph is being captured (what is captured has run once before), nor on
    devices other than CUDA's: there the first function is taken.
    """

    def __init__(self, device: torch.device) -> None:
        self._chosen: dict[Hashable, int] = {}
        self._measures = device.type == "cuda"
        self._device = device

    def run(self, key: Hashable, ways: Sequence[Callable[[], torch.Tensor]]) -> torch.Tensor:
        """The result of the way that is fastest for ``key``; all must give the same and change nothing."""
        if len(ways) == 1:
            return ways[0]()
        place = self._chosen.get(key)
        if place is None:
            can_measure = self._measures and not torch.cuda.is_current_stream_capturing()
            place = self._measure(ways) if can_measure else 0
            self._chosen[key] = place
        return ways[place]()

    @property
    def chosen(self) -> dict[Hashable, int]:
        """The place of the fastest way by key, for whoever wants to look."""
        return dict(self._chosen)

    def _measure(self, ways: Sequence[Callable[[], torch.Tensor]]) -> int:
        # Weights come from memory in a step, so they must not come from the L2 cache here.
        size = 2 * torch.cuda.get_device_properties(self._device).L2_cache_size
        evict = torch.empty(size, dtype=torch.uint8, device=self._device)
        times = [_median_ms(way, evict) for way in ways]
        return times.index(min(times))


def _median_ms(way: Callable[[], torch.Tensor], evict: torch.Tensor) -> float:
    way()  # compiles
    pairs = []
    for _ in range(RUNS):
        evict.zero_()
        torch.cuda._sleep(QUEUE_CYCLES)  # type: ignore[no-untyped-call]
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))  # type: ignore[no-untyped-call]
        start.record()
        way()
        end.record()
        pairs.append((start, end))
    torch.cuda.synchronize()
    return statistics.median([float(start.elapsed_time(end)) for start, end in pairs])
