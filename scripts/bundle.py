"""Puts the server into the VS Code extension's folder: wheels, its sdist, and lock files with what it needs.

So the extension asks no index for the server itself, where anyone could publish something under its name.
With a wheel no compiler is needed: the release has those of every platform, another package that of this
machine alone. The sdist is for all others. There are a lock file with PyTorch and one without, for machines
without a GPU, one with uv, which fetches a Python where there is none, and the sizes of what is fetched.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from scripts import lock, tools  # noqa: E402 - the repository's own

FOLDER = ROOT / "editors/vscode/server"
LOCK = ROOT / "requirements.lock"
SIZES = ROOT / "scripts/sizes.json"
#: What the server can do without on a processor, and what needs it.
TORCH = frozenset({"accelerate", "torch", "transformers"})
WITHOUT_TORCH = "requirements-without-torch.lock"
UV = "uv.lock"
#: The kernels that are compiled for this machine, as an editable install has them.
LIBRARIES = "copilot_server/engine/backends/cpu/_kernels.*"


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


def lock_files() -> dict[str, str]:
    """Return the lock files that the extension has, by their names."""
    text = LOCK.read_text("utf-8")
    return {
        LOCK.name: text,
        WITHOUT_TORCH: lock.without(text, TORCH, keep={"setuptools"}),
        UV: lock.only(tools.LOCK.read_text("utf-8"), {"uv"}),
    }


def local_wheel(sdist: Path, folder: Path) -> None:
    """Build the wheel for this machine into ``folder``, with the kernels of the checkout if it has them."""
    library = next(iter(sorted(ROOT.glob(LIBRARIES))), None)
    with tempfile.TemporaryDirectory() as temporary, tarfile.open(sdist) as archive:
        archive.extractall(temporary, filter="data")
        (source,) = Path(temporary).iterdir()
        build("build_wheel", folder, source, library=library)


def fill(folder: Path, wheels: Path | None) -> None:
    """Make the extension's folder; ``wheels``: a folder with those of the release."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    build("build_sdist", folder)
    if wheels is None:
        (sdist,) = folder.glob("*.tar.gz")
        local_wheel(sdist, folder)
    else:
        for wheel in wheels.glob("*.whl"):
            shutil.copy(wheel, folder)
    for name, text in lock_files().items():
        (folder / name).write_text(text, "utf-8")
    sizes = json.loads(SIZES.read_text("utf-8"))
    (folder / SIZES.name).write_text(json.dumps(sizes), "utf-8")


def main(arguments: Sequence[str] | None = None) -> int:
    """Make the folder; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--wheels", type=Path, help="a folder with the wheels of every platform")
    fill(FOLDER, parser.parse_args(arguments).wheels)
    return 0


if __name__ == "__main__":
    sys.exit(main())
