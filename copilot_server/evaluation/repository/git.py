"""What git says of a repository. Nothing that its configuration names is run.

What ``workspace.git`` switches off, and here external diffs and text conversion.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable
from datetime import date
from pathlib import Path

from copilot_server.errors import ConfigError, DataError
from copilot_server.workspace.git import GIT, git_environment

#: The longest that one command may take.
TIMEOUT_S = 120
#: How many of the newest commits are looked at for the files they touched.
COMMITS = 2_000

_PLAIN_DIFF = ("--no-ext-diff", "--no-textconv", "--ignore-submodules=all")


def is_repository(folder: Path) -> bool:
    """Whether ``folder`` is in the work tree of a git repository.

    Raises:
        ConfigError: git is not installed, or refuses to read the repository.
    """
    done = _git(folder, "rev-parse", "--is-inside-work-tree")
    if done.returncode == 0:
        return done.stdout.strip() == b"true"
    said = done.stderr.decode(errors="replace").strip()
    if "not a git repository" in said:
        return False
    raise ConfigError(f"git cannot read {folder}: {said}", remedy="Run `git status` there to see why.")


def tracked(folder: Path) -> list[str]:
    """Return the tracked files below ``folder`` that are on disk, relative to it.

    Raises:
        DataError: git fails.
    """
    return _paths(_checked(folder, "ls-files", "-z"))


def visible(folder: Path) -> list[str]:
    """Return the files below ``folder`` that are tracked or could be: all but those that git ignores.

    Raises:
        DataError: git fails.
    """
    return _paths(_checked(folder, "ls-files", "-z", "--cached", "--others", "--exclude-standard"))


def newest_first(folder: Path) -> dict[str, int]:
    """Return the files below ``folder`` with how many commits ago they were touched last.

    Files that only older commits than the newest ``COMMITS`` touched are missing.

    Raises:
        DataError: git fails.
    """
    if not _has_commits(folder):
        return {}
    log = _checked(
        folder,
        *("log", f"--max-count={COMMITS}", "--format=%x01", "--name-only", "-z", "--no-renames"),
        *(*_PLAIN_DIFF, "--relative", "--", "."),
    )
    ages: dict[str, int] = {}
    for age, commit in enumerate(log.split(b"\x01")[1:]):
        for path in _paths(commit):
            ages.setdefault(path.lstrip("\n"), age)
    return ages


def added_since(folder: Path, since: date) -> set[str]:
    """Return the files below ``folder`` that were not there, under any name, when ``since`` began (in UTC).

    Raises:
        DataError: git fails.
    """
    files = set(tracked(folder))
    if not _has_commits(folder):
        return files
    before = _checked(folder, "rev-list", "-1", f"--before={since.isoformat()}T00:00:00Z", "HEAD").strip()
    if not before:
        return files
    # Only commits are compared: reading files on disk would run the filters that a configuration names.
    finds = ("--name-only", "-z", "--diff-filter=A", "--find-renames", *_PLAIN_DIFF)
    added = _paths(_checked(folder, "diff", *finds, "--relative", before.decode(), "HEAD", "--", "."))
    committed = _paths(_checked(folder, "ls-tree", "-r", "--name-only", "-z", "HEAD"))
    return files & (set(added) | (files - set(committed)))


def head(folder: Path) -> str:
    """Return the hash of the commit that is checked out; empty if there is none."""
    done = _git(folder, "rev-parse", "--verify", "--quiet", "HEAD")
    return done.stdout.decode().strip() if done.returncode == 0 else ""


def _has_commits(folder: Path) -> bool:
    return bool(head(folder))


def _paths(output: bytes) -> list[str]:
    names: Iterable[bytes] = output.split(b"\0")
    return [os.fsdecode(name) for name in names if name.strip()]


def _checked(folder: Path, *arguments: str) -> bytes:
    done = _git(folder, *arguments)
    if done.returncode != 0:
        said = done.stderr.decode(errors="replace").strip()
        message = f"`git {arguments[0]}` fails in {folder}: {said}"
        raise DataError(message, remedy="Run `git fsck` there, or name another repository.")
    return done.stdout


def _git(folder: Path, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    try:
        return subprocess.run(  # noqa: S603 - without a shell
            [*GIT, *arguments],
            cwd=folder,
            env=git_environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            timeout=TIMEOUT_S,
        )
    except FileNotFoundError as error:
        raise ConfigError("git is not installed.", remedy="Install it, and try again.") from error
    except subprocess.TimeoutExpired as error:
        message = f"`git {arguments[0]}` took longer than {TIMEOUT_S} s in {folder}."
        raise DataError(message, remedy="Name a smaller folder of the repository.") from error
