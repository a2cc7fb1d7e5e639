"""``copilot-server`` without a command: serve editors."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import typer

from copilot_server.cli.flags import refuse
from copilot_server.cli.settings import load, overrides
from copilot_server.errors import ConfigError
from copilot_server.flags import flag

if TYPE_CHECKING:
    from copilot_server.cli.flags import Given

#: The flags that only a server that listens on a port has a use for.
_LISTENING = ("host", "port", "keep_alive", "token_file", "no_token", "allow_network")
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
    host: str = flag(
        default="127.0.0.1",
        help="The address to listen on. One that other machines reach needs --allow-network.",
        name="--host",
        panel=_PANEL,
    )
    port: int = flag(
        default=2087,
        help="The port to listen on; 0 takes any free one.",
        name="--port",
        panel=_PANEL,
        minimum=0,
        maximum=65535,
    )
    token_file: Path | None = flag(
        default=None,
        help="Keep the token that editors present over --tcp and --ws in this file, which is made if it is "
        "not there. By default each start makes a token and prints it.",
        name="--token-file",
        panel=_PANEL,
        metavar="FILE",
    )
    no_token: bool = flag(
        default=False,
        help="With --tcp or --ws, serve every program of every user of this machine, without a token. What "
        "it sends at its start then counts no more than a project's settings.",
        name="--no-token",
        panel=_PANEL,
    )
    allow_network: bool = flag(
        default=False,
        help="Let --host be an address that other machines reach. Source and token cross the network "
        "unencrypted; an ssh tunnel to this machine is better.",
        name="--allow-network",
        panel=_PANEL,
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
        refuse(context, _LISTENING, "needs --tcp or --ws")
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
        token=_token(given, transport),
        keep_alive=given["keep_alive"],
        metrics=given["metrics"],
        flags=overrides(given),
    )


def _token(given: Given, transport: Transport) -> str | None:
    """Return what editors have to present; None for nothing.

    Raises:
        ConfigError: others would be let in, and no flag says so.
    """
    if transport == "stdio":
        return None
    from copilot_server.listening.address import is_loopback  # noqa: PLC0415
    from copilot_server.listening.token import make_token, read_token  # noqa: PLC0415

    host, no_token = given["host"], given["no_token"]
    if not is_loopback(host) and not given["allow_network"]:
        message = f"Other machines could reach the server at {host}, unencrypted."
        remedy = "Leave --host out and use an ssh tunnel, or give --allow-network too."
        raise ConfigError(message, remedy=remedy)
    if no_token and (given["token_file"] is not None or not is_loopback(host)):
        message = "--no-token is for this machine alone, and has no use for --token-file."
        raise ConfigError(message, remedy="Leave one of them out.")
    if no_token:
        return None
    return read_token(given["token_file"]) if given["token_file"] is not None else make_token()


def _transport(given: Given) -> Transport:
    chosen: list[Transport] = [name for name in ("stdio", "tcp", "ws") if given[name]]
    if len(chosen) > 1:
        message = "--stdio, --tcp and --ws are different ways to serve."
        raise ConfigError(message, remedy="Choose one.")
    return chosen[0] if chosen else "stdio"
