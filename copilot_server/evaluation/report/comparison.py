"""``copilot-server compare A.json B.json``: the comparison of two runs as a table or as JSON.

The reports may come from anywhere. Names in them reach the terminal only through ``shown``.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.table import Table

from copilot_server.evaluation.compare import Comparison, Row, compare, degrees
from copilot_server.evaluation.paired import PairedDifference
from copilot_server.evaluation.report.console import console_on, shown
from copilot_server.evaluation.report.json_report import read_report
from copilot_server.evaluation.types import Report

#: The same as for a score below its threshold.
EXIT_WORSE = 10


def run(a: Path, b: Path, *, as_json: bool, fail_if_worse: bool = False) -> int:
    """Print how the second run compares with the first, and return the process's exit status.

    Raises:
        DataError: a file is not a report, or the runs have nothing in common.
    """
    reports = read_report(a), read_report(b)
    found = compare(*reports)
    if as_json:
        sys.stdout.write(json.dumps(_as_json(found, (a, b), reports), indent=2) + "\n")
    else:
        _print(found, (a, b), reports)
    return EXIT_WORSE if fail_if_worse and found.worse else 0


def _as_json(found: Comparison, paths: tuple[Path, Path], reports: tuple[Report, Report]) -> dict[str, Any]:
    runs = [
        {"file": str(path), "model": report.protocol.model, "started": report.started}
        for path, report in zip(paths, reports, strict=True)
    ]
    return {
        "a": runs[0],
        "b": runs[1],
        "worse": found.worse,
        "warnings": list(found.warnings),
        "rows": [asdict(row) for row in found.rows],
    }


def _print(found: Comparison, paths: tuple[Path, Path], reports: tuple[Report, Report]) -> None:
    console = console_on(sys.stdout)
    for name, path, report in zip("AB", paths, reports, strict=True):
        console.print(shown(f"{name}: {report.protocol.model}, {report.started} ({path})"), soft_wrap=True)
    console.print(_table(found))
    tests = " and ".join(dict.fromkeys(row.difference.test for row in found.rows))
    console.print(
        f"difference: B minus A in points, with a bootstrap interval over problems; p: {tests}",
        soft_wrap=True,
    )
    for row in found.rows:
        part = ", ".join(filter(None, (row.variant, _at(row) and f"T {_at(row)}")))
        for change, names in (("gained", row.gained), ("lost", row.lost)):
            listed = ", ".join(names) or "none"
            console.print(
                shown(f"{part + ': ' if part else ''}{change} {len(names)}: {listed}"), soft_wrap=True
            )
    for warning in found.warnings:
        console.print(shown(f"Note: {warning}"), soft_wrap=True)


def _table(found: Comparison) -> Table:
    table = Table(title="pass@1")
    columns = [
        ("variant", [row.variant for row in found.rows]),
        ("T", [_at(row) for row in found.rows]),
        ("A", [f"{row.pass_at_1_a:.1%}" for row in found.rows]),
        ("B", [f"{row.pass_at_1_b:.1%}" for row in found.rows]),
        ("difference", [f"{100 * row.difference.value:+.1f}" for row in found.rows]),
        ("95 % interval", [_interval(row.difference) for row in found.rows]),
        ("p", [_chance(row.difference.p_value) for row in found.rows]),
        ("gained", [str(len(row.gained)) for row in found.rows]),
        ("lost", [str(len(row.lost)) for row in found.rows]),
        ("tasks", [str(row.difference.tasks) for row in found.rows]),
    ]
    kept = [(name, cells) for name, cells in columns if any(cells)]
    for name, _ in kept:
        table.add_column(name, justify="left" if name == "variant" else "right")
    for cells in zip(*(cells for _, cells in kept), strict=True):
        table.add_row(*map(shown, cells))
    return table


def _at(row: Row) -> str:
    """Return the temperature, or nothing where both runs are greedy."""
    if row.temperature_a != row.temperature_b:
        return f"{degrees(row.temperature_a)} and {degrees(row.temperature_b)}"
    return "" if not row.temperature_a else f"{row.temperature_a:g}"


def _interval(difference: PairedDifference) -> str:
    return f"{100 * difference.low:+.1f} to {100 * difference.high:+.1f}"


def _chance(p_value: float | None) -> str:
    if p_value is None:
        return "-"
    return "< 0.0001" if p_value < 0.0001 else f"{p_value:.4f}"
