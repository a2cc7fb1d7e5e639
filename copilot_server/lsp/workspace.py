"""The files of an editor's workspace folders, for the code of other files in prompts."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from urllib.parse import unquote, urlsplit

from copilot_server.context.exclusion import Exclusions
from copilot_server.fetch.store import home
from copilot_server.lsp.documents import Documents, OpenDocument
from copilot_server.workspace.types import SnippetSource
from copilot_server.workspace.workspace import LANGUAGES, Workspace

#: The folder of the indexes, in the folder of everything that is kept.
_INDEXES = "workspaces"


class WorkspaceFiles:
    """Follows one editor: its folders, its settings, and what it has open.

    The index of the folders is made when the first document of a language that it knows is opened: an editor
    may be used for weeks without one.
    """

    def __init__(self, documents: Documents) -> None:
        """``documents``: what the editor has open."""
        self._documents = documents
        self._followed: tuple[tuple[str, ...], ...] = ((), (), ())
        self._workspace: Workspace | None = None

    @property
    def source(self) -> SnippetSource | None:
        """Where prompts find code of other files; None as long as there is nothing to find."""
        return self._workspace

    def follow(self, folders: Sequence[str], exclude: Sequence[str], added: Sequence[str] = ()) -> None:
        """Take the folders to index, as URIs, and the patterns of the files to leave out.

        ``added``: a project's own patterns, as in ``Exclusions``.
        """
        followed = tuple(folders), tuple(exclude), tuple(added)
        if followed == self._followed:
            return
        self.close()
        self._followed = followed
        for document in self._documents:
            self.opened(document)

    def opened(self, document: OpenDocument) -> None:
        """Take up a document that was opened."""
        if self._workspace is not None:
            self._workspace.opened(document.uri, document.language_id, document.text)
        elif document.language_id in LANGUAGES:
            self._begin()

    def changed(self, document: OpenDocument) -> None:
        """Take the text of a document that was edited; it is read when another document asks for it."""
        if self._workspace is not None:
            self._workspace.changed(document.uri, document.text)

    def closed(self, uri: str) -> None:
        """Forget a document: from now on its file on disk counts."""
        if self._workspace is not None:
            self._workspace.closed(uri)

    def refresh(self, uris: Iterable[str]) -> None:
        """Read files again that have changed, appeared or gone."""
        paths = [path for uri in uris if (path := _path_of(uri)) is not None]
        if self._workspace is not None and paths:
            self._workspace.refresh(paths)

    def close(self) -> None:
        """Stop indexing."""
        if self._workspace is not None:
            self._workspace.close()
            self._workspace = None

    def _begin(self) -> None:
        folders, exclude, added = self._followed
        paths = [path for one in folders if (path := _path_of(one)) is not None]
        if not paths:
            return
        # Who starts an editor in an active environment works in it.
        virtual_env = os.environ.get("VIRTUAL_ENV", "")
        exclusions = Exclusions(exclude, folders, added)
        self._workspace = Workspace(paths, exclusions, home() / _INDEXES, virtual_env=virtual_env)
        for one in self._documents:
            self._workspace.opened(one.uri, one.language_id, one.text)
        self._workspace.start()


def _path_of(uri: str) -> Path | None:
    """Return the path of a file's URI; None for one that names no file on this machine."""
    parts = urlsplit(uri)
    if parts.scheme != "file" or parts.netloc not in {"", "localhost"}:
        return None
    path = unquote(parts.path)
    # file:///c:/x denotes the file c:/x.
    return Path(path[1:] if len(path) > 2 and path[2] == ":" else path)
