"""``copilot-server bench``: how fast a model is on this machine."""

from __future__ import annotations

from typing import Annotated

import typer

from copilot_server.cli.flags import Given, takes_flags
from copilot_server.cli.settings import SettingsFlags, load


@takes_flags(SettingsFlags, only=("model", "device", "dtype", "config"))
def bench(
    *,
    given: Given,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Measure how fast a model is on this machine."""
    import attrs  # noqa: PLC0415

    from copilot_server.bench.screen import run  # noqa: PLC0415

    settings = load(given)
    if settings.engine:
        message = f"The bench measures this machine, not the remote engine at {settings.engine_hosts}."
        typer.echo(message, err=True)
        settings = attrs.evolve(settings, engine=())
    run(settings, as_json=as_json)
