"""Choosing among ways to compute the same thing, by measuring each of them once on the device at hand."""

from __future__ import annotations

import json
import logging
import math
import statistics
from collections.abc import Callable, Hashable, Sequence
from pathlib import Path

import torch

_LOG = logging.getLogger(__name__)

#: Timed runs of each way; the median counts.
RUNS = 5

#: GPU cycles, about a millisecond, in which the host queues the kernels to be timed, so that the host's own
#: time is not measured.
QUEUE_CYCLES = 2_000_000

Ways = Sequence[Callable[[], torch.Tensor]]

#: Measures the time that a way takes, in milliseconds.
Measure = Callable[[Callable[[], torch.Tensor]], float]


class Tuner:
    """Remembers, for each key, which of several functions is the fastest here.

    The choice is kept in ``path``, so that the next start makes the same one: ways differ in rounding, and
    greedy text should not change from start to start. Nothing is measured while a graph is being captured
    (what is captured has run once before), nor on devices other than CUDA's, unless ``measure`` is given:
    there the first way is taken.
    """

    def __init__(
        self,
        device: torch.device,
        path: Path | None = None,
        *,
        unfit: tuple[type[Exception], ...] = (),
        measure: Measure | None = None,
    ) -> None:
        """``unfit``: the errors that a way raises when it needs more than the device has."""
        self._path = path
        self._chosen: dict[str, int] = {} if path is None else _read(path)
        self._unfit = unfit
        self._measure = measure
        if measure is None and device.type == "cuda":
            self._measure = _GpuStopwatch(device)

    @property
    def chosen(self) -> dict[str, int]:
        """The index of the fastest way by key."""
        return dict(self._chosen)

    def run(self, key: Hashable, ways: Ways) -> torch.Tensor:
        """The result of the way that is fastest for ``key``; all must give the same and change nothing."""
        if len(ways) == 1:
            return ways[0]()
        name = f"{key} of {len(ways)}"
        index = self._chosen.get(name)
        if index is None or index >= len(ways):
            index = self._choose(name, ways)
        return ways[index]()

    def _choose(self, name: str, ways: Ways) -> int:
        if self._measure is None or _is_capturing():
            return 0
        times = [self._time(name, index, way) for index, way in enumerate(ways)]
        self._chosen[name] = index = times.index(min(times))
        self._write()
        return index

    def _time(self, name: str, index: int, way: Callable[[], torch.Tensor]) -> float:
        """Milliseconds; infinity for a way that does not fit the device."""
        assert self._measure is not None  # noqa: S101 - _choose has checked it
        try:
            return self._measure(way)
        except self._unfit as error:
            _LOG.info("way %d of %s does not fit this device: %s", index, name, error)
            return math.inf

    def _write(self) -> None:
        if self._path is None:
            return
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            partial = self._path.with_suffix(".partial")
            partial.write_text(json.dumps(self._chosen, indent=1), "utf-8")
            partial.replace(self._path)
        except OSError as error:
            _LOG.debug("the tunings cannot be remembered: %s", error)


def _read(path: Path) -> dict[str, int]:
    """What was remembered; nothing if it cannot be read, and then everything is measured again."""
    try:
        chosen = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    if not isinstance(chosen, dict):
        return {}
    return {str(key): index for key, index in chosen.items() if isinstance(index, int) and index >= 0}


def _is_capturing() -> bool:
    return torch.cuda.is_available() and torch.cuda.is_current_stream_capturing()


class _GpuStopwatch:
    """Times functions on a CUDA device with the weights coming from memory, as in a step."""

    def __init__(self, device: torch.device) -> None:
        self._size = 2 * torch.cuda.get_device_properties(device).L2_cache_size
        self._device = device

    def __call__(self, way: Callable[[], torch.Tensor]) -> float:
        evict = torch.empty(self._size, dtype=torch.uint8, device=self._device)
        way()  # compiles
        pairs = []
        for _ in range(RUNS):
            evict.zero_()  # evicts the weights from the L2 cache
            torch.cuda._sleep(QUEUE_CYCLES)  # type: ignore[no-untyped-call]
            start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))  # type: ignore[no-untyped-call]
            start.record()
            way()
            end.record()
            pairs.append((start, end))
        torch.cuda.synchronize()
        return statistics.median([float(start.elapsed_time(end)) for start, end in pairs])
