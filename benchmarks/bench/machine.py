"""The machine of a run, and what else ran on it."""

from __future__ import annotations

import os
import platform
import resource
import time
from dataclasses import dataclass, field

import psutil

from copilot_server.provenance import cores, processor


def machine() -> dict[str, object]:
    """Return the machine and its load over the last minute."""
    return {
        "processor": processor(),
        "cores": cores(),
        "memory_gb": round(psutil.virtual_memory().total / 1e9),
        "system": f"{platform.system()} {platform.machine()}",
        "load_1min": round(os.getloadavg()[0], 2),
    }


def _busy_s() -> float:
    """Return the processor time that all processes of this machine have used."""
    times = psutil.cpu_times()
    return float(sum(times) - times.idle - getattr(times, "iowait", 0.0) - getattr(times, "guest", 0.0))


def _own_s() -> float:
    """Return the processor time of this process and of its children that have ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


@dataclass(frozen=True, slots=True)
class Watch:
    """Measures how much other processes compute. All children must have ended when it is read."""

    _start_s: float = field(default_factory=time.monotonic)
    _busy_s: float = field(default_factory=_busy_s)
    _own_s: float = field(default_factory=_own_s)

    @property
    def elapsed_s(self) -> float:
        """The seconds since the start."""
        return time.monotonic() - self._start_s

    def others(self) -> float:
        """Return the processor time of other processes as a mean number of cores."""
        others_s = (_busy_s() - self._busy_s) - (_own_s() - self._own_s)
        return max(0.0, others_s) / self.elapsed_s


def wait_until_quiet(patience_s: float) -> bool:
    """Wait until other processes use less than a tenth of a core for two seconds; return whether they did."""
    deadline = time.monotonic() + patience_s
    while True:
        watch = Watch()
        time.sleep(2.0)
        if watch.others() < 0.1:
            return True
        if time.monotonic() > deadline:
            return False
