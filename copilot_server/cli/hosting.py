"""``copilot-server serve``: hold models for editors and other clients, over HTTP."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from copilot_server.cli.flags import Given, takes_flags
from copilot_server.cli.settings import SettingsFlags, load
from copilot_server.errors import ConfigError

_FLAGS = ("device", "dtype", "offline", "config")


@takes_flags(SettingsFlags, only=_FLAGS)
def serve(  # noqa: PLR0913 - one argument for each choice of the user
    models: Annotated[
        list[str] | None,
        typer.Argument(metavar="[MODEL]...", help="Models to serve; by default the one of the settings."),
    ] = None,
    *,
    given: Given,
    host: Annotated[str, typer.Option("--host", help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option("--port", help="The port to listen on; 0 takes any free one.", min=0, max=65535)
    ] = 8012,
    socket: Annotated[
        Path | None,
        typer.Option("--socket", metavar="PATH", help="Listen at a path instead, for this user alone."),
    ] = None,
    linger: Annotated[
        float | None,
        typer.Option(
            "--linger", metavar="SECONDS", min=0.1, help="End when nobody has been connected for so long."
        ),
    ] = None,
    token_file: Annotated[
        Path | None,
        typer.Option(
            "--token-file",
            metavar="FILE",
            help="Keep the token that clients present (Authorization: Bearer ...) in this file, which is "
            "made if it is not there. By default each start makes a token and prints it.",
        ),
    ] = None,
    no_token: Annotated[
        bool,
        typer.Option(
            "--no-token", help="Serve every program of every user of this machine, without a token."
        ),
    ] = False,
) -> None:
    """Hold models in one process and serve them over HTTP, by OpenAI's API and by that of llama.cpp."""
    import attrs  # noqa: PLC0415

    from copilot_server.completion.pipeline import open_engine  # noqa: PLC0415
    from copilot_server.host.server import Address  # noqa: PLC0415
    from copilot_server.host.server import serve as serve_models  # noqa: PLC0415

    settings = load(given)
    if settings.engine:
        message = f"The settings name the remote engine at {settings.engine_hosts}, which serves already."
        raise ConfigError(message, remedy="Leave engine out of the settings, or give --config another file.")
    chosen = [
        attrs.evolve(settings, model=name, share=False) for name in dict.fromkeys(models or [settings.model])
    ]
    token = None if socket is not None else _token(host, token_file, no_token=no_token)
    code = serve_models(chosen, Address(host, port, socket), open_engine, token=token, linger_s=linger)
    raise typer.Exit(code)


def _token(host: str, file: Path | None, *, no_token: bool) -> str | None:
    """Return what clients have to present; None for nothing.

    Raises:
        ConfigError: others would be let in.
    """
    from copilot_server.listening.address import is_loopback  # noqa: PLC0415
    from copilot_server.listening.token import make_token, read_token  # noqa: PLC0415

    if not is_loopback(host):
        message = f"Other machines could reach the host at {host}, unencrypted."
        raise ConfigError(message, remedy="Leave --host out and use an ssh tunnel, or an HTTPS proxy.")
    if no_token and file is not None:
        raise ConfigError("--no-token has no use for --token-file.", remedy="Leave one of them out.")
    if no_token:
        return None
    if file is not None:
        return read_token(file)
    token = make_token()
    typer.echo(f"copilot-server: the token is {token}", err=True)
    return token
