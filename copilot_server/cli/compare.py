"""``copilot-server compare``: two runs of a benchmark, problem by problem."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def compare(
    a: Annotated[
        Path, typer.Argument(metavar="A.json", help="The report.json of a run, or what --json wrote.")
    ],
    b: Annotated[Path, typer.Argument(metavar="B.json", help="The run to compare with it.")],
    *,
    fail_if_worse: Annotated[
        bool, typer.Option("--fail-if-worse", help="Exit with status 10 if B is significantly worse.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Compare two runs problem by problem: the difference, its significance, the problems gained and lost."""
    from copilot_server.evaluation.report.comparison import run  # noqa: PLC0415
    from copilot_server.evaluation.repository import comparison  # noqa: PLC0415
    from copilot_server.evaluation.repository.report import is_repository_report  # noqa: PLC0415

    if is_repository_report(a):
        raise typer.Exit(comparison.run(a, b, as_json=as_json, fail_if_worse=fail_if_worse))
    raise typer.Exit(run(a, b, as_json=as_json, fail_if_worse=fail_if_worse))
