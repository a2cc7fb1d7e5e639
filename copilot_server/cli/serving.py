"""``copilot-server`` without a command: serve editors."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import typer

from copilot_server.cli.flags import refuse
from copilot_server.cli.settings import load, overrides
from copilot_server.errors import ConfigError
from copilot_server.flags import flag

if TYPE_CHECKING:
    from copilot_server.cli.flags import Given

_PANEL = "Serving (on stdio by default)"
Transport = Literal["stdio", "tcp", "ws"]


@dataclass(frozen=True, slots=True)
class ServingFlags:
    """How editors reach the server."""

    stdio: bool = flag(
        default=False, help="Serve on stdin and stdout, which is the default.", name="--stdio", panel=_PANEL
    )
    tcp: bool = flag(default=False, help="Listen on TCP.", name="--tcp", panel=_PANEL)
    ws: bool = flag(default=False, help="Listen for WebSockets.", name="--ws", panel=_PANEL)
    host: str = flag(default="127.0.0.1", help="The address to listen on.", name="--host", panel=_PANEL)
    port: int = flag(
        default=2087,
        help="The port to listen on; 0 takes any free one.",
        name="--port",
        panel=_PANEL,
        minimum=0,
        maximum=65535,
    )
    keep_alive: bool = flag(
        default=False,
        help="With --tcp or --ws, go on when the last editor has left, until the process is stopped.",
        name="--keep-alive",
        panel=_PANEL,
    )
    metrics: str | None = flag(
        default=None,
        help="Serve metrics for Prometheus. Without a host only this machine can read them; port 0 takes any "
        "free one.",
        name="--metrics",
        panel=_PANEL,
        metavar="[HOST:]PORT",
    )


def serve(context: typer.Context, given: Given) -> None:
    """Serve editors until the last one leaves.

    Raises:
        ConfigError: a flag is wrong, or has no effect.
    """
    settings = load(given)
    transport = _transport(given)
    if transport == "stdio":
        refuse(context, ("host", "port", "keep_alive"), "needs --tcp or --ws")
        if sys.stdin.isatty():
            hint = "An editor starts this command and talks to it on stdin. --help lists what else it does."
            typer.echo(hint, err=True)
    from copilot_server.lsp import server  # noqa: PLC0415

    # The flags also take precedence over the settings that the editor sends later.
    server.serve(
        settings,
        transport,
        given["host"],
        given["port"],
        keep_alive=given["keep_alive"],
        metrics=given["metrics"],
        flags=overrides(given),
    )


def _transport(given: Given) -> Transport:
    chosen: list[Transport] = [name for name in ("stdio", "tcp", "ws") if given[name]]
    if len(chosen) > 1:
        message = "--stdio, --tcp and --ws are different ways to serve."
        raise ConfigError(message, remedy="Choose one.")
    return chosen[0] if chosen else "stdio"
