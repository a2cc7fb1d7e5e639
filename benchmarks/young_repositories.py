"""Makes git repositories with files that are younger than a model, from packages that are installed anyway.

    python -m benchmarks.young_repositories /tmp/young
    copilot-server --selftest repository /tmp/young/websockets --since 2024-03-01

Each repository has two commits: a release of the package from before March 2024, which pip fetches from the
package index, and the release that is installed here. ``--since 2024-03-01`` then takes the files that only
the second has, and not under another name in the first (git's detection of renames).

How we know that a model has not seen them: the code that Qwen2.5-Coder was trained on comes from repositories
that were created before February 2024 (Hui et al. 2024, arXiv:2409.12186, section 3.1), and the files were in
no release of the package by the end of that month. The dates of the files in the wheels show when they were
built, and are checked here; pygls's build sets them all to 2016, and the index gives 2024-01-29 for it. What
remains possible: the report does not say when the repositories were read; a file may have lain unreleased in
a public branch; its text may have been moved from an older file; instruction tuning may have used younger
code.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Mapping
from datetime import UTC, date, datetime
from importlib import metadata
from pathlib import Path

from copilot_server.evaluation.repository.git import added_since

#: A release of each package from before ``CUTOFF``: the last one, or close to it.
RELEASES = {
    "huggingface_hub": "0.21.2",
    "pygls": "1.3.0",
    "transformers": "4.38.1",
    "websockets": "12.0",
}
CUTOFF = date(2024, 3, 1)
#: The dates of the two commits. The second says nothing but that it is after ``CUTOFF``.
_BEFORE, _AFTER = "2024-02-29T00:00:00Z", "2026-01-01T00:00:00Z"

_GIT = (
    "git",
    "-c",
    f"core.hooksPath={os.devnull}",
    "-c",
    "commit.gpgSign=false",
    "-c",
    "core.autocrlf=false",
)
_AUTHOR = "young_repositories"


def main() -> None:
    """Make the repositories that the command line names."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, help="where to make them, each in a folder of its name")
    parser.add_argument("packages", nargs="*", choices=[[], *RELEASES], help="which; by default all")
    given = parser.parse_args()
    for package in given.packages or RELEASES:
        folder = given.folder / package
        if folder.exists():
            print(f"{folder} is there already", file=sys.stderr)
            continue
        make_repository(folder, released(package, RELEASES[package]), installed(package))
        new = sorted(path for path in added_since(folder, CUTOFF) if path.endswith(".py"))
        lines = sum(len((folder / path).read_text("utf-8").splitlines()) for path in new)
        versions = f"{RELEASES[package]} -> {metadata.version(package)}"
        print(f"{folder}: {versions}, {len(new)} new Python files with {lines:,} lines")


def make_repository(folder: Path, before: Mapping[str, bytes], after: Mapping[str, bytes]) -> None:
    """Make a repository with two commits, of the files before and of those after."""
    folder.mkdir(parents=True)
    _git(folder, "init", "-q", "-b", "main")
    for files, other, day in ((before, {}, _BEFORE), (after, before, _AFTER)):
        for path in other.keys() - files.keys():
            (folder / path).unlink()
        for path, data in files.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(data)
        _git(folder, "add", "-A")
        _git(folder, "commit", "-q", "-m", f"the files of {day[:10]}", day=day)


def released(package: str, version: str) -> dict[str, bytes]:
    """Return the Python files of a release by their paths, after a look at when it was built."""
    with tempfile.TemporaryDirectory() as name:
        command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--only-binary", ":all:"]
        subprocess.run([*command, "--dest", name, f"{package}=={version}"], check=True)
        (wheel,) = Path(name).glob("*.whl")
        with zipfile.ZipFile(wheel) as archive:
            newest = max(datetime(*entry.date_time, tzinfo=UTC).date() for entry in archive.infolist())
            if newest >= CUTOFF:
                sys.exit(f"{wheel.name} was built on {newest}, which is not before {CUTOFF}")
            names = [name for name in archive.namelist() if _belongs(name, package)]
            return {name: archive.read(name) for name in names}


def installed(package: str) -> dict[str, bytes]:
    """Return the Python files of the installed release by their paths."""
    files = metadata.distribution(package).files or []
    return {file.as_posix(): file.read_binary() for file in files if _belongs(file.as_posix(), package)}


def _belongs(path: str, package: str) -> bool:
    """Whether a path in a wheel is a Python file of the package."""
    return path.startswith(f"{package}/") and path.endswith((".py", ".pyi")) and ".." not in path


def _git(folder: Path, *arguments: str, day: str = _BEFORE) -> None:
    own = {
        **{f"GIT_{who}_NAME": _AUTHOR for who in ("AUTHOR", "COMMITTER")},
        **{f"GIT_{who}_EMAIL": f"{_AUTHOR}@example.com" for who in ("AUTHOR", "COMMITTER")},
        **{f"GIT_{who}_DATE": day for who in ("AUTHOR", "COMMITTER")},
    }
    subprocess.run([*_GIT, *arguments], cwd=folder, env=os.environ | own, check=True)


if __name__ == "__main__":
    main()
