"""The tools of ``make lock`` and ``make release``: installed by their hashes, into ``.cache/release``.

They have an environment apart from the project's, whose packages they neither see nor change.
"""

from __future__ import annotations

import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
ENVIRONMENT = ROOT / ".cache" / "release"
INPUTS, LOCK = ROOT / "scripts/tools.in", ROOT / "scripts/tools.lock"


def tool(name: str) -> Path:
    """Return the program ``name`` of the environment, which is made again when the lock file has changed.

    Raises:
        subprocess.CalledProcessError: it cannot be installed.
    """
    bin_folder = ENVIRONMENT / ("Scripts" if sys.platform == "win32" else "bin")
    stamp, wanted = ENVIRONMENT / ".installed", LOCK.read_text("utf-8")
    if not stamp.exists() or stamp.read_text("utf-8") != wanted:
        print("Installing the tools of the release into .cache/release.", file=sys.stderr)
        venv.create(ENVIRONMENT, with_pip=True, clear=True)
        install = ["-P", "-m", "pip", "install", "--quiet", "--require-hashes", "--only-binary", ":all:"]
        subprocess.run([bin_folder / "python", *install, "-r", LOCK], check=True)
        stamp.write_text(wanted, "utf-8")
    return bin_folder / name
