"""``copilot-server stats``: the statistics of suggestions, which are counted on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from copilot_server.errors import StatisticsError

Dimension = Literal["language", "model", "editor", "eagerness"]


def stats(
    *,
    days: Annotated[
        int,
        typer.Option(
            "--days", min=1, max=3650, metavar="N", help="The number of days to show, including today."
        ),
    ] = 30,
    by: Annotated[
        Dimension | None, typer.Option("--by", help="Show only this table, with all of its rows.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
    forget: Annotated[bool, typer.Option("--forget", help="Delete all statistics, and exit.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask for confirmation.")] = False,
) -> None:
    """Show how many suggestions were shown, accepted and kept, and how fast they came."""
    from copilot_server.statistics.schema import database_path  # noqa: PLC0415

    path = database_path()
    if forget:
        _forget(path, yes=yes)
    else:
        _show(path, days, by, as_json=as_json)


def _show(path: Path, days: int, by: Dimension | None, *, as_json: bool) -> None:
    from datetime import datetime  # noqa: PLC0415

    from copilot_server.statistics import figures, screen  # noqa: PLC0415

    today = datetime.now().astimezone().date()
    found = figures.read_figures(path, days=days, today=today)
    if as_json:
        import json  # noqa: PLC0415

        document = figures.as_json(found or figures.nothing(days=days, today=today))
        typer.echo(json.dumps(document, indent=2, ensure_ascii=False))
    elif found is None:
        screen.screen_on_stdout().show_nothing(path)
    elif by is None:
        eagerness = ("eagerness",) if figures.several_were_used(found, "eagerness") else ()
        screen.screen_on_stdout().show(found, by=("language", "model", *eagerness))
    else:
        screen.screen_on_stdout().show(found, by=(by,), most_rows=None)


def _forget(path: Path, *, yes: bool) -> None:
    import sqlite3  # noqa: PLC0415

    import filelock  # noqa: PLC0415

    from copilot_server.statistics import schema  # noqa: PLC0415

    if not path.parent.exists():
        typer.echo("Nothing was counted yet.")
        return
    if not yes:
        typer.confirm("Delete all statistics?", abort=True)
    try:
        schema.forget(path)
    except (sqlite3.Error, OSError, filelock.Timeout) as error:
        remedy = "Check its permissions, or close the editors and try again."
        raise StatisticsError(f"{path} cannot be deleted ({error}).", remedy=remedy) from error
    typer.echo("All statistics are deleted.")
