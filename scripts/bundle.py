"""Puts the server into the VS Code extension's folder: its sdist, and the lock file with what it needs.

So the extension asks no index for the server itself, where anyone could publish something under its name. It
is the sdist, and not a wheel, since the kernels are compiled for the machine that they are to run on.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "editors/vscode/server"
LOCK = ROOT / "requirements.lock"


def build(
    hook: str,
    folder: Path,
    source: Path = ROOT,
    settings: Mapping[str, Sequence[str]] | None = None,
    library: Path | None = None,
) -> None:
    """Call setuptools as any front end of PEP 517 does, in a process of its own.

    ``settings``: the hook's ``config_settings``. ``library``: the compiled kernels for a wheel, which are
    compiled for this machine otherwise.

    Raises:
        subprocess.CalledProcessError: it fails.
    """
    code = f"from setuptools.build_meta import {hook}; {hook}({str(folder)!r}, {settings!r})"
    environment = os.environ | ({"COPILOT_SERVER_LIBRARY": str(library)} if library else {})
    subprocess.run(
        [sys.executable, "-c", code], cwd=source, env=environment, check=True, stdout=subprocess.DEVNULL
    )


def main() -> int:
    """Make the folder; return the exit code."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir()
    build("build_sdist", FOLDER)
    shutil.copy(LOCK, FOLDER)
    return 0


if __name__ == "__main__":
    sys.exit(main())
