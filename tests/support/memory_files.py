"""Files of a workspace in memory, for what resolves names."""

from __future__ import annotations

from collections.abc import Mapping

from copilot_server.workspace.languages import SUFFIXES, summarize
from copilot_server.workspace.names import FileNames, Use
from copilot_server.workspace.python.roots import top_level_modules
from copilot_server.workspace.python.scopes import read_names
from copilot_server.workspace.summary import FileSummary


class MemoryFiles:
    """Files of a workspace whose folder is ``/w``, by their paths in it."""

    folders = ("/w",)

    def __init__(self, files: Mapping[str, str]) -> None:
        self._files = {
            f"/w/{name}": summarize(name, text) for name, text in files.items() if name.endswith(SUFFIXES)
        }
        self._names = {f"/w/{name}": read_names(text) for name, text in files.items()}
        self._roots = list(top_level_modules(self._files.keys(), self.folders))
        self.excluded: set[str] = set()
        self.read: list[str] = []

    @property
    def workspace(self) -> MemoryFiles:
        return self

    def is_outside(self, path: str) -> bool:
        del path
        return False

    def summary(self, path: str) -> FileSummary | None:
        self.read.append(path)
        return self._files.get(path)

    def names(self, path: str) -> FileNames | None:
        return self._names.get(path)

    def uses(self, use: Use, name: str, besides: str) -> bool:
        return any((use, name) in one.uses() for path, one in self._names.items() if path != besides)

    def existing(self, paths: tuple[str, ...]) -> frozenset[str]:
        return frozenset(self._files.keys() & set(paths))

    def has_folder(self, path: str) -> bool:
        return any(one.startswith(f"{path}/") for one in self._files)

    def roots(self, name: str) -> tuple[str, ...]:
        return tuple(root for one, root in self._roots if one == name)

    def defining(self, name: str) -> tuple[str, ...]:
        return tuple(sorted(path for path, one in self._files.items() if name in one.names()))

    def in_folder(self, folder: str) -> tuple[str, ...]:
        return tuple(sorted(path for path in self._files if path.rpartition("/")[0] == folder))

    def may_be_read(self, path: str) -> bool:
        return path not in self.excluded
