"""Measures what pip fetches for the VS Code extension on each platform into ``scripts/sizes.json``.

The user is told before the installation, and how much of it is still to come. uv chooses the wheels as pip
does, for one version of Python: those for others differ by little.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from scripts import bundle, lock, tools  # noqa: E402 - the repository's own

PYTHON = "3.13"
#: Node's names of the platforms, and uv's.
PLATFORMS = {
    "linux-x64": "x86_64-manylinux_2_28",
    "linux-arm64": "aarch64-manylinux_2_28",
    "darwin-arm64": "aarch64-apple-darwin",
    "darwin-x64": "x86_64-apple-darwin",
    "win32-x64": "x86_64-pc-windows-msvc",
}
#: How much more disk than the wheels take is needed while both they and what was packed in them are there, as
#: measured under Linux without PyTorch, and estimated with it.
UNPACKED = {"with torch": 3.0, "without torch": 5.6}


def download_bytes(packages: Sequence[Mapping[str, Any]]) -> int:
    """Return the size of the wheels of a resolution; of a package with several that fit, the largest."""
    return sum(max((wheel["size"] for wheel in one.get("wheels", ())), default=0) for one in packages)


def resolve(text: str, platform: str) -> list[dict[str, Any]]:
    """Return the packages of a lock file that a platform needs, each with the wheels that fit, by uv."""
    with TemporaryDirectory() as folder:
        source, output = Path(folder, "in.txt"), Path(folder, "pylock.toml")
        source.write_text(text, "utf-8")
        which = ["--python-platform", platform, "--python-version", PYTHON, "--only-binary", ":all:"]
        options = ["--no-deps", "--no-config", "--quiet", "--default-index", lock.INDEX, *which]
        whole = [
            tools.tool("uv"),
            "pip",
            "compile",
            source,
            "--format",
            "pylock.toml",
            *options,
            "-o",
            output,
        ]
        # The oldest macOS that PyTorch has wheels for.
        environment = os.environ | {"MACOSX_DEPLOYMENT_TARGET": "14.0"}
        subprocess.run(whole, check=True, stdout=subprocess.DEVNULL, env=environment)
        return tomllib.loads(output.read_text("utf-8"))["packages"]  # type: ignore[no-any-return]


def measure() -> dict[str, dict[str, dict[str, int]]]:
    """Return the bytes by platform, and by whether PyTorch is among them."""
    files = bundle.lock_files()
    texts = {"with torch": files[bundle.LOCK.name], "without torch": files[bundle.WITHOUT_TORCH]}
    found: dict[str, dict[str, dict[str, int]]] = {}
    for name, platform in PLATFORMS.items():
        found[name] = {}
        for what, text in texts.items():
            size = download_bytes(resolve(text, platform))
            found[name][what] = {"download_bytes": size, "disk_bytes": round(size * UNPACKED[what])}
    return found


def main() -> int:
    """Write the file; return the exit code."""
    bundle.SIZES.write_text(json.dumps(measure(), indent=2) + "\n", "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
