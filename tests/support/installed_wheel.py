"""A wheel of this project in a virtual environment that has neither pip nor torch, without the network."""

from __future__ import annotations

import subprocess
import sys
import venv
from importlib.metadata import distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

#: What the server can do without on a CPU: torch, and what needs torch.
HEAVY = frozenset({"accelerate", "torch", "transformers"})


def install(wheel: Path, folder: Path) -> Path:
    """Install a wheel and its dependencies but the heavy ones, and return the environment's ``bin``.

    The dependencies are links to those of this process's environment.
    """
    venv.create(folder, with_pip=False, symlinks=True)
    python = folder / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "--python", str(python)]
    subprocess.run([*pip, "install", "--no-deps", "--no-index", str(wheel)], check=True)
    (site,) = folder.glob("lib/python*/site-packages")
    for name in dependencies("copilot-server", HEAVY):
        _link(name, site)
    return python.parent


def dependencies(name: str, without: frozenset[str]) -> set[str]:
    """All that a distribution needs here, directly or not; nothing that only those in ``without`` need."""
    found: set[str] = set()
    pending = [name]
    while pending:
        for text in distribution(pending.pop()).requires or ():
            one = Requirement(text)
            needed = canonicalize_name(one.name)
            if (one.marker is None or one.marker.evaluate({"extra": ""})) and needed not in found | without:
                found.add(needed)
                pending.append(needed)
    return found


def _link(name: str, site: Path) -> None:
    installed = distribution(name)
    tops = {Path(file).parts[0] for file in installed.files or ()} - {"..", "__pycache__"}
    for top in tops:
        target = Path(str(installed.locate_file(top)))
        if target.exists() and not (site / top).exists():
            (site / top).symlink_to(target)
