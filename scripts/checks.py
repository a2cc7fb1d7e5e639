"""What the parts of the release script have in common."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
DIST = ROOT / "dist"
VSCODE = ROOT / "editors" / "vscode"


class CheckError(Exception):
    """What was built is not what it should be."""


def run(*command: str | Path, cwd: Path = ROOT) -> str:
    """Run a command and return what it printed; its errors go to the terminal.

    Raises:
        subprocess.CalledProcessError: its exit code is not 0.
    """
    done = attempt(*command, cwd=cwd)
    done.check_returncode()
    return done.stdout


def attempt(*command: str | Path, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """Run a command that may fail; its errors go to the terminal."""
    print("+", *command, flush=True)
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return subprocess.run(command, cwd=cwd, env=environment, stdout=subprocess.PIPE, text=True, check=False)


def npm() -> Path:
    """Return npm: the machine's, or that which the checks of the extension have fetched.

    Raises:
        CheckError: there is none.
    """
    fetched = ROOT / ".cache" / "node" / "bin"
    found = shutil.which("npm", path=os.pathsep.join([os.environ.get("PATH", ""), str(fetched)]))
    if found is None:
        raise CheckError("there is no npm, with which the extension's packages are listed")
    return Path(found)


def require(names: Iterable[str], wanted: Sequence[str], what: str) -> None:
    """Check that a list, such as that of an archive's files, has all names that are wanted.

    Raises:
        CheckError: naming those that it lacks.
    """
    lacking = set(wanted) - set(names)
    if lacking:
        raise CheckError(f"{what} lacks {', '.join(sorted(lacking))}")
