"""Where a run took place, and what else ran there."""

from __future__ import annotations

import os
import platform
import resource
import time
from dataclasses import dataclass, field

import psutil

from copilot_server.provenance import cores, processor


def machine() -> dict[str, object]:
    """The machine, and its load over the last minute."""
    return {
        "processor": processor(),
        "cores": cores(),
        "memory_gb": round(psutil.virtual_memory().total / 1e9),
        "system": f"{platform.system()} {platform.machine()}",
        "load_1min": round(os.getloadavg()[0], 2),
    }


def _busy_s() -> float:
    """Processor time that everything on this machine has used."""
    times = psutil.cpu_times()
    return float(sum(times) - times.idle - getattr(times, "iowait", 0.0) - getattr(times, "guest", 0.0))


def _own_s() -> float:
    """Processor time that this process has used, and its children that have ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


@dataclass(frozen=True, slots=True)
class Watch:
    """Tells how much else ran on the machine since it was made, once all children have ended."""

    _start_s: float = field(default_factory=time.monotonic)
    _busy_s: float = field(default_factory=_busy_s)
    _own_s: float = field(default_factory=_own_s)

    @property
    def elapsed_s(self) -> float:
        """Seconds since it was made."""
        return time.monotonic() - self._start_s

    def others(self) -> float:
        """The processor time of others, as a mean number of cores."""
        others_s = (_busy_s() - self._busy_s) - (_own_s() - self._own_s)
        return max(0.0, others_s) / self.elapsed_s


def wait_until_quiet(patience_s: float) -> bool:
    """Wait until others use less than a tenth of a core for two seconds; whether they came to."""
    deadline = time.monotonic() + patience_s
    while True:
        watch = Watch()
        time.sleep(2.0)
        if watch.others() < 0.1:
            return True
        if time.monotonic() > deadline:
            return False
