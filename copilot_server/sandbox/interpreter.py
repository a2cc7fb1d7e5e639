"""The interpreter that programs run by, what it has to read, and what of that holds installed packages."""

from __future__ import annotations

import sys
from pathlib import Path

_SYSTEM_LIBRARIES = ("/usr/lib", "/usr/lib64", "/usr/lib32", "/lib", "/lib64", "/lib32")


def base_python() -> Path:
    """Return the interpreter under any virtual environment, symbolic links resolved."""
    return Path(getattr(sys, "_base_executable", None) or sys.executable).resolve()


def library_folders() -> list[Path]:
    """Return the system's and the interpreter's, links among them."""
    # Never the whole prefix, which may hold environments.
    prefix = Path(sys.base_prefix).resolve()
    folders = dict.fromkeys([*map(Path, _SYSTEM_LIBRARIES), prefix / "lib", prefix / "lib64"])
    return [path for path in folders if path.is_dir()]


def installed_packages(library: Path) -> list[Path]:
    """Return the folders of packages in a library folder, among which the problems' answers may be."""
    return [path for name in ("site", "dist") for path in library.glob(f"*/{name}-packages")]
