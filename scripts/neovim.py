"""Lays the Neovim plugin out as a repository of its own, as Neovim's plugin managers expect it.

``python scripts/neovim.py FOLDER`` writes it into a folder, such as a clone of that repository, and keeps the
folder's ``.git``. The release script packs the same files, and the entry for Mason's registry beside them.
"""

from __future__ import annotations

import argparse
import io
import re
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

ROOT = Path(__file__).resolve().parents[1]
if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))

from copilot_server import __version__  # noqa: E402 - the repository's own
from scripts.checks import CheckError, require  # noqa: E402

#: Who will own the repositories. While it is this word, the release script says that it has to be chosen.
OWNER = "OWNER"
REPOSITORY = f"https://github.com/{OWNER}/copilot-server"
MIRROR = "copilot-server.nvim"

PLUGIN = ROOT / "editors/neovim"
#: Where pictures of the README go.
MEDIA = PurePosixPath("media")

IN_MIRROR = (
    "LICENSE",
    "README.md",
    "lazy.lua",
    "doc/copilot_server.txt",
    "lsp/copilot_server.lua",
    "lua/copilot_server/init.lua",
    "lua/copilot_server/sources/blink.lua",
    "lua/copilot_server/sources/cmp.lua",
    "lua/lualine/components/copilot_server.lua",
    "plugin/copilot_server.lua",
)

#: lazy.nvim reads this, and so needs no more than the plugin's name. Most of the plugin loads late by itself.
LAZY = f"""-- For lazy.nvim: {{ '{OWNER}/{MIRROR}' }} is a whole spec, which `opts` may complete.
return {{ '{MIRROR}', lazy = false, opts = {{}} }}
"""

MASON = f"""---
name: copilot-server
description: |
  Code completion by a model on your own machine, as a language server: ghost text, candidates in a panel, or
  entries of the completion menu.
homepage: {REPOSITORY}
licenses:
  - Apache-2.0
languages: []
categories:
  - LSP

source:
  id: pkg:pypi/copilot-server@{__version__}

bin:
  copilot-server: pypi:copilot-server
"""

_LINK = re.compile(r"(?<=\]\()(?P<target>[^)#\s:]+)(?P<rest>#[^)]*)?(?=\))")


def files() -> dict[str, bytes]:
    """Return the content of each file of the mirror by its path."""
    found = {name: (PLUGIN / name).read_bytes() for name in _plugin_files()}
    readme, pictures = _moved(found["README.md"].decode())
    found |= {
        "README.md": readme.encode(),
        "LICENSE": (ROOT / "LICENSE").read_bytes(),
        "lazy.lua": LAZY.encode(),
    }
    return dict(sorted((found | pictures).items()))


def _plugin_files() -> list[str]:
    """Name the plugin's files that git tracks, or all of them outside a clone."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=PLUGIN,
        capture_output=True,
        text=True,
        check=False,
    )
    if listed.returncode == 0:
        return sorted(name for name in listed.stdout.split("\0") if name and (PLUGIN / name).is_file())
    return sorted(path.relative_to(PLUGIN).as_posix() for path in PLUGIN.rglob("*") if path.is_file())


def _moved(readme: str) -> tuple[str, dict[str, bytes]]:
    """Point the links of the README out of the plugin's folder at what they meant.

    Returns:
        The README, and the content of the pictures that it shows by their paths in the mirror.
    """
    pictures: dict[str, bytes] = {}

    def replace(link: re.Match[str]) -> str:
        target, rest = link["target"], link["rest"] or ""
        path = (PLUGIN / target).resolve()
        if path.is_relative_to(PLUGIN):
            return target + rest
        if path.suffix in {".png", ".gif", ".webp", ".svg"}:
            name = str(MEDIA / path.name)
            pictures[name] = path.read_bytes()
            return name
        return f"{REPOSITORY}/blob/main/{path.relative_to(ROOT).as_posix()}{rest}"

    return _LINK.sub(replace, readme), pictures


def write(folder: Path) -> None:
    """Write the mirror into ``folder`` in place of whatever is there, except ``.git``.

    Raises:
        CheckError: the folder has files, and is neither a clone nor an older mirror.
    """
    folder.mkdir(parents=True, exist_ok=True)
    present = {path.name for path in folder.iterdir()}
    if present and not present & {".git", "lazy.lua"}:
        raise CheckError(f"{folder} has files, but is no clone of {MIRROR}")
    for name in present - {".git"}:
        path = folder / name
        shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    for name, content in files().items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)


def check(mirror: Mapping[str, bytes]) -> None:
    """Check that the mirror is complete, and that its README shows nothing that it has not.

    Raises:
        CheckError: it is not so.
    """
    require(mirror, IN_MIRROR, "the mirror of the Neovim plugin")
    for link in _LINK.finditer(mirror["README.md"].decode()):
        if link["target"] not in mirror and not link["target"].startswith("https:"):
            raise CheckError(f"the mirror's README links to {link['target']}, which the mirror lacks")


def pack(dist: Path) -> list[Path]:
    """Check the mirror, and write it as an archive, and Mason's entry, into ``dist``; return their paths."""
    mirror = files()
    check(mirror)
    archive = dist / f"{MIRROR}-{__version__}.tar.gz"
    with tarfile.open(archive, "w:gz") as packed:
        for name, content in mirror.items():
            member = tarfile.TarInfo(f"{MIRROR}-{__version__}/{name}")
            member.size = len(content)
            packed.addfile(member, io.BytesIO(content))
    mason = dist / "mason-package.yaml"
    mason.write_text(MASON, "utf-8")
    if OWNER == "OWNER":
        print("The owner of the repositories is not chosen yet: OWNER in scripts/neovim.py.", file=sys.stderr)
    return [archive, mason]


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the mirror into a folder; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("folder", type=Path, help="a new folder, or a clone of the mirror")
    try:
        write(parser.parse_args(arguments).folder)
    except CheckError as error:
        print(f"Not written: {error}.", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
