"""What has been found out about environments so far, and the files of a workspace together with it."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from copilot_server.workspace.python.resolve import Files
from copilot_server.workspace.summary import FileSummary


class WorkspaceFiles(Files, Protocol):
    """What is known of the files of a workspace."""

    def is_hidden(self, path: str) -> bool:
        """Whether a file must be treated as unknown."""
        ...


@dataclass(slots=True)
class Known:
    """What has been found out. Once it is published, nobody changes it.

    ``sites``: the ``site-packages`` for the documents in a folder, "" for none. ``changed_ns``: when such a
    folder was changed. ``sources``: the files with the definitions of module files, "" where there is none.
    ``folders``: whether there is such a folder. ``summaries``: by the paths of module files.
    """

    sites: dict[str, str] = field(default_factory=dict)
    changed_ns: dict[str, int] = field(default_factory=dict)
    sources: dict[str, str] = field(default_factory=dict)
    folders: dict[str, bool] = field(default_factory=dict)
    summaries: dict[str, FileSummary] = field(default_factory=dict)

    def copy(self) -> Known:
        """Return what is changed while this stays as it is."""
        return Known(
            dict(self.sites),
            dict(self.changed_ns),
            dict(self.sources),
            dict(self.folders),
            dict(self.summaries),
        )

    def __len__(self) -> int:
        """Return how many answers are kept."""
        return len(self.sites) + len(self.sources) + len(self.folders)


class EnvironmentFiles:
    """The files of a workspace, and those of the packages in ``site``, as far as they are known.

    What is not known yet counts as absent, and ``is_incomplete`` says that it was asked for. Packages of
    the workspace are not looked for in ``site``, which may have an old copy of the document itself, nor are
    modules of the standard library.
    """

    def __init__(self, workspace: WorkspaceFiles, site: str | None, known: Known) -> None:
        """``site``: None if it is not known yet, "" if there is none."""
        self.workspace = workspace
        self._known = known
        self._below = f"{site}/" if site else ""
        # Somebody may work on a package where it is installed.
        tops = (f"{one}/" for one in workspace.folders if site)
        self._inner = tuple(one for one in tops if one.startswith(self._below))
        self._is_blocked: dict[str, bool] = {}
        self.is_incomplete = site is None
        self.folders: Sequence[str] = (*workspace.folders, site) if site else workspace.folders

    @property
    def has_site(self) -> bool:
        """Whether the environment is known, and there is one."""
        return bool(self._below)

    def is_outside(self, path: str) -> bool:
        """Whether a file or folder is one of the environment, and not of the workspace."""
        return bool(self._below) and path.startswith(self._below) and not path.startswith(self._inner)

    def summary(self, path: str) -> FileSummary | None:
        """Return the summary of a file; None if it is unknown or must not be read."""
        if not self.is_outside(path):
            return self.workspace.summary(path)
        if not self._source(path):
            return None
        found = self._known.summaries.get(path)
        return self._read(path, self._known.sources[path]) if found is None else found

    def existing(self, paths: tuple[str, ...]) -> frozenset[str]:
        """Return which of these files, all of them in the workspace or in the environment, are known."""
        if not self.is_outside(paths[0]):
            return self.workspace.existing(paths)
        return frozenset(path for path in paths if self._source(path))

    def has_folder(self, path: str) -> bool:
        """Whether a folder is known."""
        if not self.is_outside(path):
            return self.workspace.has_folder(path)
        if self._blocks(path):
            return False
        found = self._known.folders.get(path)
        return self._look_for_folder(path) if found is None else found

    def roots(self, name: str) -> tuple[str, ...]:
        """Return the folders of the workspace with a top-level module or package of this name."""
        return self.workspace.roots(name)

    def _source(self, path: str) -> str:
        if self._blocks(path) or self.workspace.is_hidden(path):
            return ""
        found = self._known.sources.get(path)
        return self._look_for_source(path) if found is None else found

    def _blocks(self, path: str) -> bool:
        name = path[len(self._below) :].partition("/")[0].partition(".")[0]
        if name not in self._is_blocked:
            # ``src`` is where a workspace may have its packages; no package is called so.
            is_other = name == "src" or name in sys.stdlib_module_names
            self._is_blocked[name] = is_other or bool(self.workspace.roots(name))
        return self._is_blocked[name]

    def _look_for_source(self, path: str) -> str:
        del path
        self.is_incomplete = True
        return ""

    def _look_for_folder(self, path: str) -> bool:
        del path
        self.is_incomplete = True
        return False

    def _read(self, path: str, source: str) -> FileSummary | None:
        del path, source
        self.is_incomplete = True
        return None
