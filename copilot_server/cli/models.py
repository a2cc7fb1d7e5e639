"""``copilot-server models``: the models that can be downloaded, and which are on this machine."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.table import Table

    from copilot_server.catalog import Manifest


def models(
    *, as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False
) -> None:
    """List the models with their sizes and licences, and whether they are on this machine."""
    from copilot_server.catalog import all_manifests  # noqa: PLC0415

    rows = [_row(manifest) for manifest in all_manifests()]
    if as_json:
        import json  # noqa: PLC0415

        typer.echo(json.dumps(rows, indent=2, ensure_ascii=False))
        return
    from rich.console import Console  # noqa: PLC0415

    # A file or a pipe has no width, so the table gets a fixed one.
    Console(width=None if sys.stdout.isatty() else 140).print(_table(rows))


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
        caption="HumanEval: the published pass@1 in percent, and the prompt it was measured with. For a "
        "quantized model, it is that of the weights before quantization."
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
