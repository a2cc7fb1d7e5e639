"""The command line: its flags, its subcommands, and its exit codes.

Each subcommand is a module beside this one. A function imports what is slow to import only when it needs it.
"""

from __future__ import annotations

import logging
import sys
from typing import Annotated

import typer

from copilot_server import __version__
from copilot_server.cli.bench import bench
from copilot_server.cli.compare import compare
from copilot_server.cli.flags import Given, names_of, refuse, takes_flags
from copilot_server.cli.hosting import serve as serve_models
from copilot_server.cli.models import models
from copilot_server.cli.pull import pull
from copilot_server.cli.selftest import selftest, with_repository_flag
from copilot_server.cli.serving import ServingFlags, serve
from copilot_server.cli.settings import SettingsFlags
from copilot_server.cli.sharing import status, stop
from copilot_server.cli.stats import stats
from copilot_server.errors import CopilotServerError
from copilot_server.evaluation.options import SelftestOptions
from copilot_server.shown import ShownFormatter, shown_lines

#: A remote engine has chosen these itself.
_CHOSEN_BY_ENGINE = ("device", "dtype")

app = typer.Typer(
    name="copilot-server",
    add_completion=False,
    invoke_without_command=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command in (models, pull, stats, bench, compare, serve_models, status, stop):
    app.command()(command)


def main() -> None:
    """Run the command line. An error of ours ends it with a message, a remedy and the error's exit code."""
    try:
        app(with_repository_flag(sys.argv[1:]))
    except CopilotServerError as error:
        typer.echo(f"error: {shown_lines(error.message)}", err=True)
        if error.remedy:
            typer.echo(shown_lines(error.remedy), err=True)
        sys.exit(error.exit_code)


def _print_version(wanted: bool) -> None:  # noqa: FBT001 - typer calls it so
    if wanted:
        typer.echo(f"copilot-server {__version__}")
        raise typer.Exit


@app.callback()
@takes_flags(SettingsFlags, ServingFlags, SelftestOptions)
def root(
    context: typer.Context,
    *,
    given: Given,
    version: Annotated[  # noqa: ARG001 - its callback prints the version and exits
        bool, typer.Option("--version", is_eager=True, callback=_print_version, help="Print the version.")
    ] = False,
) -> None:
    """Complete code with a model of your own. Without a command, serve editors."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(ShownFormatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=given["log_level"].upper(), handlers=[handler])
    if context.invoked_subcommand is not None:
        not_logging = [name for name in context.params if name != "log_level"]
        refuse(context, not_logging, f"is not for `{context.invoked_subcommand}`")
        return
    if given["engine"]:
        refuse(context, _CHOSEN_BY_ENGINE, "is for a model that runs here, and not for --engine")
    if given["benchmark"] is None:
        refuse(context, names_of(SelftestOptions), "needs --selftest")
        serve(context, given)
        return
    refuse(context, (*names_of(ServingFlags), "fetch"), "is not for --selftest")
    raise typer.Exit(selftest(context, given))
