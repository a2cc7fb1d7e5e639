"""The command line: flags and subcommands, what they start, and exit codes.

Whatever is slow to import is imported by the function that needs it.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, TypeVar

import typer

from copilot_server import __version__
from copilot_server.cli import models, options, stats
from copilot_server.errors import ConfigError, CopilotServerError

if TYPE_CHECKING:
    from copilot_server.config import Settings

DEFAULT_HOST = "127.0.0.1"
DEFAULT_PORT = 2087
_SERVING = ("stdio", "tcp", "ws", "host", "port", "metrics")
_SELF_TEST = (
    *("data", "limit", "variant", "full", "raw", "check", "timeout", "allow_unsandboxed", "batch_size"),
    *("samples", "temperature", "top_p", "k", "seed", "samples_file"),
    *("report", "json_path", "min_pass_at_1"),
)
#: What an engine elsewhere has settled itself.
_OF_THE_ENGINE = ("device", "dtype")
_SAMPLING = ("samples", "temperature", "top_p", "seed")

app = typer.Typer(
    name="copilot-server",
    add_completion=False,
    invoke_without_command=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(models.models)
app.command()(models.pull)
app.command()(stats.stats)


def main() -> None:
    """Run the command line; an error of ours is a message, a remedy and its exit code."""
    try:
        app()
    except CopilotServerError as error:
        typer.echo(f"error: {error.message}", err=True)
        if error.remedy:
            typer.echo(error.remedy, err=True)
        sys.exit(error.exit_code)


def _print_version(wanted: bool) -> None:  # noqa: FBT001 - typer's callback
    if wanted:
        typer.echo(f"copilot-server {__version__}")
        raise typer.Exit


@app.callback()
def root(  # noqa: PLR0913 - one argument a flag
    context: typer.Context,
    *,
    model: options.Model = None,
    engine: options.Engine = None,
    device: options.Device = None,
    dtype: options.Dtype = None,
    offline: options.Offline = None,
    protocol: options.PromptProtocol = None,
    max_new_tokens: options.MaxNewTokens = None,
    config: options.Config = None,
    log_level: options.LogLevel = "warning",
    stdio: options.Stdio = False,
    tcp: options.Tcp = False,
    ws: options.Ws = False,
    host: options.Host = DEFAULT_HOST,
    port: options.Port = DEFAULT_PORT,
    metrics: options.Metrics = None,
    selftest: options.Selftest = None,
    data: options.Data = None,
    limit: options.Limit = None,
    variant: options.Variant = None,
    full: options.Full = False,
    raw: options.Raw = False,
    check: options.CheckFlag = "strict",
    timeout: options.Timeout = 3.0,
    allow_unsandboxed: options.AllowUnsandboxed = False,
    batch_size: options.BatchSize = 32,
    samples: options.Samples = 1,
    temperature: options.Temperature = None,
    top_p: options.TopP = 0.95,
    k: options.Ks = None,
    seed: options.Seed = 0,
    samples_file: options.SamplesFile = None,
    report: options.Report = None,
    json_path: options.JsonFile = None,
    min_pass_at_1: options.MinPassAt1 = None,
    version: Annotated[  # noqa: ARG001 - its callback prints and exits
        bool, typer.Option("--version", is_eager=True, callback=_print_version, help="Print the version.")
    ] = False,
) -> None:
    """Complete code with a model of your own. Without a command: serve an editor."""
    logging.basicConfig(
        level=log_level.upper(), stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    if context.invoked_subcommand is not None:
        given = [name for name in context.params if name != "log_level"]
        _refuse(context, given, f"is not for `{context.invoked_subcommand}`")
        return
    if engine:
        _refuse(context, _OF_THE_ENGINE, "is for a model that runs here, and not for --engine")
    flags = {
        "model": model,
        "engine": engine or None,
        "device": device,
        "dtype": dtype,
        "offline": offline,
        "completion.protocol": protocol,
        "completion.max_new_tokens": max_new_tokens,
    }
    if selftest is None:
        _refuse(context, _SELF_TEST, "needs --selftest")
        _serve(context, config, flags, stdio=stdio, tcp=tcp, ws=ws, host=host, port=port, metrics=metrics)
        return
    _refuse(context, _SERVING, "is not for --selftest")
    if samples_file is not None:
        _refuse(context, (*_SAMPLING, "model", "engine", "raw"), "is not for --samples-file")
    from copilot_server.evaluation.options import SelftestOptions  # noqa: PLC0415
    from copilot_server.evaluation.selftest import run  # noqa: PLC0415

    chosen = SelftestOptions(
        benchmark=selftest,
        data=data,
        limit=limit,
        variants=tuple(variant or ()),
        full=full,
        raw=raw,
        samples=samples,
        temperatures=_listed("--temperature", temperature, float),
        top_p=top_p,
        ks=_listed("--k", k, int),
        seed=seed,
        check=check,
        timeout_s=timeout,
        samples_file=samples_file,
        report=report,
        json_path=json_path,
        min_pass_at_1=min_pass_at_1,
        allow_unsandboxed=allow_unsandboxed,
        batch_size=batch_size,
    )
    raise typer.Exit(run(_settings(config, flags), chosen))


_Number = TypeVar("_Number", int, float)


def _listed(flag: str, given: str | None, number: Callable[[str], _Number]) -> tuple[_Number, ...]:
    """The numbers of a flag such as ``--k 1,10``.

    Raises:
        ConfigError: one of them is none.
    """
    try:
        return tuple(number(one) for one in given.split(",")) if given else ()
    except ValueError as error:
        raise ConfigError(f"{flag} {given} is not a list of numbers.", remedy="As in 1,10,100.") from error


@app.command()
def bench(
    *,
    model: options.Model = None,
    device: options.Device = None,
    dtype: options.Dtype = None,
    config: options.Config = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Tell how fast a model is on this machine."""
    import attrs  # noqa: PLC0415

    from copilot_server.bench.screen import run  # noqa: PLC0415

    settings = _settings(config, {"model": model, "device": device, "dtype": dtype})
    if settings.engine:
        typer.echo(f"What runs here is measured, not the engine at {settings.engine_hosts}.", err=True)
        settings = attrs.evolve(settings, engine=())
    run(settings, as_json=as_json)


@app.command()
def compare(
    a: Annotated[Path, typer.Argument(metavar="A.json", help="A run's report.json, or what --json wrote.")],
    b: Annotated[Path, typer.Argument(metavar="B.json", help="The run to compare with it.")],
    *,
    fail_if_worse: Annotated[
        bool, typer.Option("--fail-if-worse", help="Exit with 10 if B is significantly worse.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Compare two runs problem by problem: the difference, how sure it is, what was gained and lost."""
    from copilot_server.evaluation.compare import run  # noqa: PLC0415

    raise typer.Exit(run(a, b, as_json=as_json, fail_if_worse=fail_if_worse))


def _settings(config: Path | None, flags: Mapping[str, object]) -> Settings:
    from copilot_server.config import load_settings  # noqa: PLC0415

    return load_settings(config, flags)


def _serve(  # noqa: PLR0913 - as many as the server takes
    context: typer.Context,
    config: Path | None,
    flags: Mapping[str, object],
    *,
    stdio: bool,
    tcp: bool,
    ws: bool,
    host: str,
    port: int,
    metrics: str | None,
) -> None:
    settings = _settings(config, flags)
    if stdio + tcp + ws > 1:
        msg = "--stdio, --tcp and --ws are different ways to serve."
        raise ConfigError(msg, remedy="Choose one.")
    transport: Literal["stdio", "tcp", "ws"] = "tcp" if tcp else "ws" if ws else "stdio"
    if transport == "stdio":
        _refuse(context, ("host", "port"), "needs --tcp or --ws")
        if sys.stdin.isatty():
            typer.echo(
                "An editor starts this and talks to it on stdin; --help tells what else it does.", err=True
            )
    from copilot_server.lsp.server import serve  # noqa: PLC0415

    # The flags go along: they also win over what the editor will set.
    serve(
        settings,
        transport,
        host,
        port,
        metrics=metrics,
        flags={key: value for key, value in flags.items() if value is not None},
    )


def _refuse(context: typer.Context, names: list[str] | tuple[str, ...], why: str) -> None:
    """Turn down flags that were given and would do nothing.

    Raises:
        ConfigError: naming the first of them.
    """
    for option in context.command.params:
        source = context.get_parameter_source(option.name or "")
        if option.name in names and source is not None and source.name == "COMMANDLINE":
            msg = f"{option.opts[0]} {why}."
            raise ConfigError(msg, remedy="Leave it out, or see --help.")
