"""Which environment's packages a document of a workspace imports. Nothing is executed to find out.

A folder is an environment if it has a ``pyvenv.cfg`` or, as conda's, a folder ``conda-meta``. Files ``*.pth``
are not read: what they add lies elsewhere, and a workspace may bring an environment of anybody.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

#: The names that environments have in the folder of their project, in the order in which they are tried.
NAMES = (".venv", "venv", "env", ".conda")
_MARKS = ("pyvenv.cfg", "conda-meta")
_VERSION = re.compile(r"(?:python|pypy)3\.(\d+)t?")
_SITE_PACKAGES = "site-packages"


def site_packages_for(path: str, folders: Sequence[str], virtual_env: str = "") -> str:
    """Return the real path of the ``site-packages`` for the document at ``path``; "" if there is none.

    The environment in the nearest folder above the document counts, up to the workspace's. If there is none:
    ``virtual_env``, the active environment, if it lies in a workspace folder; an environment at the top of
    another workspace folder; ``virtual_env`` wherever it is. ``folders``: the workspace's, as real paths.
    """
    active = os.path.realpath(virtual_env) if virtual_env else ""
    is_inside = any(f"{active}/".startswith(f"{one}/") for one in folders)
    above = [one for folder in _above(path, folders) for one in _environments(folder, active)]
    others = [one for folder in folders for one in _environments(folder, active)]
    ordered = [*above, *([active] if is_inside else []), *others, active]
    return next(filter(None, map(_site_packages, filter(None, ordered))), "")


def _above(path: str, folders: Sequence[str]) -> Iterator[str]:
    """Yield the folders above a document, the nearest first, up to its workspace folder."""
    tops = [one for one in folders if path.startswith(f"{one}/")]
    if not tops:
        return
    top = max(tops, key=len)
    for folder in map(str, Path(path).parents):
        yield folder
        if folder == top:
            return


def _environments(folder: str, active: str) -> Iterator[str]:
    """Yield the folders in ``folder`` that may be environments; the active one first."""
    if active and str(Path(active).parent) == folder:
        yield active
    for name in NAMES:
        yield str(Path(folder, name))


def _site_packages(environment: str) -> str:
    """Return the folder of an environment's packages; "" if it is no environment, or has none.

    The environment itself may be a link; what is in it may not lead out of it.
    """
    try:
        real = Path(os.path.realpath(environment))
        if not any((real / mark).exists() for mark in _MARKS):
            return ""
        found = next((one for one in _candidates(real) if one.is_dir()), None)
    except (OSError, ValueError):
        return ""
    return str(found) if found is not None and os.path.realpath(found) == str(found) else ""


def _candidates(environment: Path) -> Iterator[Path]:
    """Yield where the packages may be: those of the newest Python first, and as on Windows last."""
    library = environment / "lib"
    names = sorted(os.listdir(library)) if library.is_dir() else []  # noqa: PTH208 - only the names
    versions = [(int(found[1]), name) for name in names if (found := _VERSION.fullmatch(name))]
    for _, name in sorted(versions, reverse=True):
        yield library / name / _SITE_PACKAGES
    yield environment / "Lib" / _SITE_PACKAGES
