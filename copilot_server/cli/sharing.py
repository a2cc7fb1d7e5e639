"""``copilot-server status`` and ``stop``: the engine that all editors of a user share."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer


def status(
    *, as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")] = False
) -> None:
    """Show the shared engines of this user: models, memory, clients, and how much of prompts was known."""
    from copilot_server.engine.backends.hosted.starting import running_hosts  # noqa: PLC0415

    hosts = [{"socket": str(path), **about} for path, about in running_hosts()]
    if as_json:
        typer.echo(json.dumps(hosts))
        return
    if not hosts:
        typer.echo("No shared engine runs. share = true in the settings starts one with the first editor.")
    for host in hosts:
        for line in _lines(host):
            typer.echo(line)


def stop() -> None:
    """End the shared engines of this user. An editor that needs one starts it again."""
    from copilot_server.engine.backends.hosted.starting import running_hosts, stop_host  # noqa: PLC0415

    stopped = [about["pid"] for path, about in running_hosts() if stop_host(path)]
    typer.echo(f"Told {len(stopped)} to end: {', '.join(map(str, stopped))}." if stopped else "None runs.")


def _lines(host: dict[str, Any]) -> list[str]:
    megabytes = host["memory_bytes"] / 1e6
    clients = "1 client" if host["clients"] == 1 else f"{host['clients']} clients"
    head = f"process {host['pid']}, copilot-server {host['version']}: {megabytes:,.0f} MB, {clients}, "
    return [head + f"since {host['uptime_s'] / 60:,.0f} minutes", *map(_model_line, host["models"])]


def _model_line(model: dict[str, Any]) -> str:
    from copilot_server.shown import shown  # noqa: PLC0415

    line = f"  {shown(model['id'])}: {model['state']}"
    if model["state"] == "failed":
        return f"{line}: {shown(model['error'])}"
    if model["state"] != "ready":
        return line
    known = model["prompt_tokens"]
    share = known["reused"] / max(1, known["reused"] + known["read"])
    return f"{line}, {model['requests']} requests now, {share:.0%} of the tokens of prompts were known"
