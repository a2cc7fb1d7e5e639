"""Where a run took place: the processor, the memory, the load beside it, and the versions of all in it."""

from __future__ import annotations

import os
import platform
import resource
import time
from contextlib import suppress
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path

import psutil

_DISTRIBUTIONS = ("copilot-server", "torch", "transformers", "tokenizers", "numpy")


def threads() -> int:
    """The processor's cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def machine() -> dict[str, object]:
    """The machine, and its load over the last minute."""
    return {
        "processor": _processor(),
        "cores": threads(),
        "memory_gb": round(psutil.virtual_memory().total / 1e9),
        "system": f"{platform.system()} {platform.machine()}",
        "load_1min": round(os.getloadavg()[0], 2),
    }


def versions() -> dict[str, str]:
    """Python and what our engine and the peers in our environment are made of."""
    found = {"python": platform.python_version()}
    for name in _DISTRIBUTIONS:
        with suppress(metadata.PackageNotFoundError):
            found[name] = metadata.version(name)
    return found


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


def _processor() -> str:
    """Its name and, on x86, the instructions that matter here."""
    path = Path("/proc/cpuinfo")
    if not path.exists():
        return platform.processor() or platform.machine()
    fields = dict(_field(line) for line in path.read_text("utf-8").splitlines() if ":" in line)
    wanted = ("avx2", "avx512f", "avx512_bf16", "avx512_vnni", "amx_int8")
    flags = [flag for flag in wanted if flag in fields.get("flags", "").split()]
    return " ".join([fields.get("model name", platform.machine()), *flags])


def _field(line: str) -> tuple[str, str]:
    name, _, value = line.partition(":")
    return name.strip(), value.strip()
