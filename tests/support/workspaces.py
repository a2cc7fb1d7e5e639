"""Workspaces of a few files, real ones on the disk, and cursors in them."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from copilot_server.context.document import Cursor, Document
from copilot_server.context.exclusion import Exclusions
from copilot_server.workspace.select import Limits
from copilot_server.workspace.workspace import Workspace
from tests.support.cursor_text import cursor_in
from tests.support.patience import PATIENCE_S


def write(folder: Path, files: Mapping[str, str]) -> None:
    """Write files by their paths in ``folder``."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")


def git(folder: Path, *arguments: str) -> None:
    """Run git in ``folder``, without the user's configuration."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    environment |= {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    who = ("-c", "user.name=Test", "-c", "user.email=test@example.org")
    subprocess.run(["git", *who, *arguments], cwd=folder, env=environment, check=True, capture_output=True)


def repository(folder: Path, files: Mapping[str, str]) -> Path:
    """Make a repository with one commit."""
    folder.mkdir(parents=True, exist_ok=True)
    git(folder, "init", "-q", "-b", "main")
    write(folder, files)
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "--allow-empty", "-m", "first")
    return folder


def cursor_at(path: Path, drawn: str, language_id: str = "python") -> Cursor:
    """Return the cursor that ``drawn`` shows, in the document of the file at ``path``."""
    cursor = cursor_in(drawn, language_id)
    return Cursor(Document(path.as_uri(), language_id, cursor.document.text), cursor.offset)


@contextmanager
def opened(
    folder: Path,
    cache: Path,
    patterns: Sequence[str] = (),
    limits: Limits | None = None,
    virtual_env: str = "",
) -> Iterator[Workspace]:
    """Index a folder."""
    exclusions = Exclusions(patterns, [folder.as_uri()])
    workspace = Workspace([folder], exclusions, cache, limits, virtual_env)
    workspace.start()
    try:
        assert workspace.wait(PATIENCE_S)
        yield workspace
    finally:
        workspace.close()


def texts(workspace: Workspace, path: Path, drawn: str) -> str:
    """Return the texts of the snippets at the cursor that ``drawn`` shows."""
    return "\n".join(one.text for one in workspace.snippets(cursor_at(path, drawn)))
