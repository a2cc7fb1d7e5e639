"""The workspace that gives code of other files to a run with context."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from copilot_server.context.exclusion import Exclusions
from copilot_server.errors import DataError
from copilot_server.evaluation.report.console import notify
from copilot_server.evaluation.repository.types import Context
from copilot_server.workspace.workspace import Workspace

#: How long indexing may take: ten times what a repository of 10,000 files needs.
INDEXING_S = 600.0

_CONTEXTS: dict[str, tuple[Context, ...]] = {"on": ("on",), "off": ("off",), "both": ("off", "on")}


def contexts_of(asked: str) -> tuple[Context, ...]:
    """Return the contexts that ``--context`` asks for: on, off, or both of them."""
    return _CONTEXTS[asked]


@contextmanager
def open_workspace(
    folder: Path, exclude: Sequence[str], contexts: Sequence[Context]
) -> Iterator[Workspace | None]:
    """Index a folder, and close the index at the end; None if no context needs it.

    The index is in a temporary folder, so that each run measures the index of the files as they are.

    Raises:
        DataError: it is not indexed in time.
    """
    if "on" not in contexts:
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="copilot-server-index-", ignore_cleanup_errors=True) as cache:
        exclusions = Exclusions(exclude, [folder.as_uri()])
        # Figures must depend neither on the active environment nor on how fast packages are read.
        workspace = Workspace([folder], exclusions, Path(cache))
        workspace.wait_s = INDEXING_S
        try:
            notify("Indexing the files ...")
            workspace.start()
            if not workspace.wait(INDEXING_S):
                message = f"{folder} was not indexed in {INDEXING_S:.0f} s."
                raise DataError(message, remedy="Ask without code of other files: --context off.")
            yield workspace
        finally:
            workspace.close()
