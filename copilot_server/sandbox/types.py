"""The values of the sandbox: programs, their limits and their results."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

MIB = 1024 * 1024

#: Which process gives the verdict: ``strict``, one that the solution does not run in; ``upstream``, the
#: solution's own, as in the original harness.
Check = Literal["strict", "upstream"]


@dataclass(frozen=True, slots=True)
class Program:
    """A solution and its test, neither of which anybody has read.

    ``test`` defines ``check(candidate)``; ``entry_point`` names the function of ``solution`` to be checked.
    ``setup`` is text that the test may use, such as the helpers in a problem's prompt. Test and setup decide
    the verdict, and are confined as the solution is. If ``check`` is a generator, the strict check passes on
    the texts that it yields as reports.
    """

    solution: str
    test: str
    entry_point: str
    setup: str = ""

    @property
    def text(self) -> str:
        """The program as the original harness puts it together."""
        return f"{self.solution}\n{self.test}\ncheck({self.entry_point})"


@dataclass(frozen=True, slots=True)
class Limits:
    """What one program may use.

    HumanEval's slowest canonical solution takes 0.21 s and 30 MB, far less than these defaults.
    """

    #: Wall-clock seconds from the program's start to its verdict.
    timeout_s: float = 3.0
    #: Address space of each of its processes.
    memory_bytes: int = 512 * MIB
    #: Processes and threads at a time, including the program's own.
    processes: int = 16
    #: Size of one file.
    file_bytes: int = 16 * MIB
    #: Size of all its files together (its only writable folder is in memory).
    disk_bytes: int = 64 * MIB
    #: File descriptors open at a time, in each process.
    open_files: int = 64
    #: How much of stdout and stderr is kept; the rest is discarded.
    output_bytes: int = 64 * 1024

    def resources(self) -> dict[str, int]:
        """Return the limits that the kernel enforces, by their names in ``resource`` (see setrlimit(2))."""
        return {
            "RLIMIT_AS": self.memory_bytes,
            "RLIMIT_CPU": math.ceil(self.timeout_s) + 1,
            "RLIMIT_FSIZE": self.file_bytes,
            "RLIMIT_NOFILE": self.open_files,
            "RLIMIT_NPROC": self.processes,
            "RLIMIT_CORE": 0,
        }


DEFAULT_LIMITS = Limits()


@dataclass(frozen=True, slots=True)
class Refusal:
    """A tier that was passed over, and the reason."""

    tier: str
    reason: str

    def __str__(self) -> str:
        return f"{self.tier}: {self.reason}"


@dataclass(frozen=True, slots=True)
class ProgramResult:
    """The result of one program. ``error`` is empty exactly when it passed.

    ``assertion``: the first statement of the test that failed, if one did.
    ``reports``: what the test said before the program ended, however it ended.
    ``error``, ``assertion``, ``output`` and ``reports`` come from the program: escape them before showing
    them.
    """

    passed: bool
    error: str
    wall_s: float
    output: str = ""
    assertion: str = ""
    reports: tuple[str, ...] = ()
