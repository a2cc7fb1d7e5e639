"""The files in a ``site-packages`` folder that may be read."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from copilot_server.workspace.files import real_folders, regular_file

_STUBS = "-stubs"


class Disk:
    """Looks at the disk below the folder ``site``, a real path.

    What ``excludes`` says, links, files that are not regular and large ones are left out, as in a workspace.
    What git ignores is not: an environment usually is. It belongs to one thread.
    """

    def __init__(self, site: str, excludes: Callable[[str], bool]) -> None:
        self._site = site
        self._excludes = excludes
        self._is_within = real_folders(Path(site))

    def source(self, path: str) -> str:
        """Return the file with the definitions of the module file at ``path``; "" if there is none to read.

        A stub is looked for in a package of stubs first, as ``requests/api.pyi`` in ``requests-stubs`` (PEP
        561).
        """
        package, _, rest = path[len(self._site) + 1 :].partition("/")
        stub = f"{self._site}/{package}{_STUBS}/{rest}" if rest and path.endswith(".pyi") else ""
        if self._excludes(path):
            return ""
        return next((one for one in (stub, path) if one and self._may_read(one)), "")

    def has_folder(self, path: str) -> bool:
        """Whether a folder is there. It may be that of a namespace package."""
        return os.path.isdir(path) and self._is_within(path)  # noqa: PTH112 - for each name

    def _may_read(self, path: str) -> bool:
        folder = os.path.dirname(path)  # noqa: PTH120 - for each name
        return regular_file(path) is not None and self._is_within(folder) and not self._excludes(path)
