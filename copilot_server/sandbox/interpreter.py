"""The interpreter that runs the programs, and the folders that it reads."""

from __future__ import annotations

import sys
from pathlib import Path

_SYSTEM_LIBRARIES = ("/usr/lib", "/usr/lib64", "/usr/lib32", "/lib", "/lib64", "/lib32")


def base_python() -> Path:
    """Return the interpreter on which any virtual environment is based, with symbolic links resolved."""
    return Path(getattr(sys, "_base_executable", None) or sys.executable).resolve()


def library_folders() -> list[Path]:
    """Return the library folders of the system and of the interpreter; some may be symbolic links."""
    # Never the whole prefix, which may hold environments.
    prefix = Path(sys.base_prefix).resolve()
    folders = dict.fromkeys([*map(Path, _SYSTEM_LIBRARIES), prefix / "lib", prefix / "lib64"])
    return [path for path in folders if path.is_dir()]


def installed_packages(library: Path) -> list[Path]:
    """Return the folders of installed packages, one of which may hold the problems' answers."""
    return [path for name in ("site", "dist") for path in library.glob(f"*/{name}-packages")]
