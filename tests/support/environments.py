"""Python environments with packages of a few files, without an interpreter in them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from tests.support.workspaces import write


def make_environment(folder: Path, packages: Mapping[str, str], version: str = "3.11") -> Path:
    """Make an environment in ``folder``, and return its ``site-packages``."""
    site = folder / "lib" / f"python{version}" / "site-packages"
    site.mkdir(parents=True)
    write(folder, {"pyvenv.cfg": "home = /usr/bin\n"})
    write(site, packages)
    return site
