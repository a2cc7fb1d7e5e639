"""``copilot-server models``: the models that can be downloaded, and which are on this machine."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.table import Table

    from copilot_server.catalog import Manifest
    from copilot_server.engine.model_choice.choice import ModelChoice


def models(
    *, as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False
) -> None:
    """List the models with their sizes and licences, and whether they are on this machine."""
    from copilot_server.catalog import all_manifests  # noqa: PLC0415
    from copilot_server.cli.choosing import choose_here  # noqa: PLC0415

    choice = choose_here()
    rows = [_row(manifest, choice) for manifest in all_manifests()]
    if as_json:
        import json  # noqa: PLC0415

        typer.echo(json.dumps(rows, indent=2, ensure_ascii=False))
        return
    from rich.console import Console  # noqa: PLC0415

    # A file or a pipe has no width, so the table gets a fixed one.
    console = Console(width=None if sys.stdout.isatty() else 140)
    console.print(_table(rows))
    console.print(f"auto: {choice.reason}", markup=False, highlight=False)


def _row(manifest: Manifest, choice: ModelChoice) -> dict[str, Any]:
    import attrs  # noqa: PLC0415

    from copilot_server.fetch import cached_path  # noqa: PLC0415

    path = cached_path(manifest)
    expected = next((one for one in choice.expected if one.model.id == manifest.id), None)
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
        "expected": expected
        and {
            "warm_s": round(expected.warm_s, 2),
            "cold_s": round(expected.cold_s, 2),
            "memory_bytes": expected.memory_bytes,
            "is_slow": expected.is_slow,
            "fits": expected.fits,
        },
        # What `model = "auto"` serves, and what it would serve if it were on this machine.
        "auto": manifest == choice.served,
        "suits": manifest == choice.suited,
        "reason": choice.reason if manifest in (choice.served, choice.suited) else None,
    }


def _table(rows: list[dict[str, Any]]) -> Table:
    from rich.table import Table  # noqa: PLC0415

    table = Table(
        caption="HumanEval: the published pass@1 in percent, and the prompt it was measured with. For a "
        "quantized model, it is that of the weights before quantization. Suggestion: how long one takes "
        "on this machine, and the first one in a file, computed from what was measured."
    )
    table.add_column("id", no_wrap=True)
    for name in ("parameters", "size"):
        table.add_column(name, justify="right", no_wrap=True)
    for name in ("licence", "on disk", "suggestion", "HumanEval"):
        table.add_column(name)
    for row in rows:
        parameters = f"{row['parameters'] / 1e9:.2f} B"
        size = f"{row['size_bytes'] / 1e9:.2f} GB"
        score = row["humaneval"][0]
        published = f"{score['pass_at_1_percent']:g} {score['protocol']}"
        on_disk = "yes, auto" if row["auto"] else "yes" if row["on_disk"] else "no"
        table.add_row(row["id"], parameters, size, row["licence"], on_disk, _times(row), published)
    return table


def _times(row: dict[str, Any]) -> str:
    expected = row["expected"]
    return f"{expected['warm_s']:.1f} s, {expected['cold_s']:.1f} s" if expected else ""
