"""Which folders hold top-level modules and packages, so that absolute imports are found in any layout."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator

#: The suffixes of modules.
PYTHON = (".py", ".pyi")
_PACKAGE_FILES = ("__init__.py", "__init__.pyi")


def top_level_modules(paths: Collection[str], folders: Collection[str]) -> Iterator[tuple[str, str]]:
    """Yield the name and the folder of each top-level module or package among ``paths``.

    A top-level package is one whose folder lies in no package. ``folders`` are the workspace's: nothing above
    them counts.
    """
    packages = {os.path.dirname(path) for path in paths if path.endswith(_PACKAGE_FILES)}  # noqa: PTH120
    for package in packages:
        parent, name = os.path.split(package)
        if package not in folders and parent not in packages:
            yield name, parent
    for path in paths:
        parent, name = os.path.split(path)
        if parent not in packages:
            yield name.partition(".")[0], parent


def own_root(path: str, packages: Collection[str]) -> str:
    """Return the folder that holds the top-level package of ``path``. ``packages``: folders of packages."""
    folder = os.path.dirname(path)  # noqa: PTH120
    while folder in packages and os.path.dirname(folder) != folder:  # noqa: PTH120
        folder = os.path.dirname(folder)  # noqa: PTH120
    return folder
