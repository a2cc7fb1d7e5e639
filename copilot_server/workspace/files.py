"""The source files of a workspace folder, as git sees them.

Where git cannot be asked, the folder is walked, and its files named ``.gitignore`` are honoured. Symbolic
links are not followed, so that there are neither loops nor ways out of the folder.
"""

from __future__ import annotations

import logging
import os
import stat
import subprocess
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from copilot_server.context.exclusion import Exclusions
from copilot_server.context.patterns import Patterns
from copilot_server.context.regular_file import read_regular
from copilot_server.workspace.git import GIT, git_environment
from copilot_server.workspace.languages import SUFFIXES

logger = logging.getLogger(__name__)

#: Larger files are left out: nobody wrote them by hand.
MAX_BYTES = 1_000_000
#: The most files of a workspace, and entries of folders that are looked at without git.
MAX_FILES, MAX_ENTRIES = 50_000, 500_000
GIT_TIMEOUT_S = 60.0
#: The most that is read of git's list: a home folder may be a repository, with millions of files.
MAX_LISTED_BYTES = 32 << 20
#: How deep repositories within repositories, such as submodules, are entered.
_MAX_NESTING = 4
_SKIPPED = frozenset({"venv", "env", "node_modules", "__pycache__", "site-packages"})
_IGNORE_FILE = ".gitignore"
_LIST = ("ls-files", "-z", "--cached", "--others", "--exclude-standard", "--")


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A regular file: its absolute path, when it was changed (ns since the epoch), and its size in bytes."""

    path: str
    mtime_ns: int
    size: int


def list_files(
    folder: Path, exclusions: Exclusions, only: Sequence[str] = (), most: int = MAX_FILES
) -> Iterator[SourceFile]:
    """Yield the source files in ``folder``, whose path must be real, at most ``most``.

    ``only``: absolute paths within the folder; others are left out. Excluded files are left out, and so are
    files in other languages, large ones, and what is not a regular file.
    """
    is_within = real_folders(folder)
    count = 0
    for path in dict.fromkeys(_paths(str(folder), only, 0)):
        found = regular_file(path) if path.endswith(SUFFIXES) and is_within(os.path.dirname(path)) else None  # noqa: PTH120
        if found is None or exclusions.excludes(path):
            continue
        if count == most:
            logger.warning("Only %d files of %s are indexed", most, folder)
            return
        count += 1
        yield SourceFile(path, found.st_mtime_ns, found.st_size)


def real_folders(folder: Path) -> Callable[[str], bool]:
    """Return a function that says whether no folder on the way from ``folder`` to a path is a link."""

    @cache
    def is_within(path: str) -> bool:
        return os.path.realpath(path) == path and (path == str(folder) or folder in Path(path).parents)

    return is_within


def regular_file(path: str) -> os.stat_result | None:
    """Return what is known of a regular file that is not too large and whose name is text."""
    try:
        path.encode()
        found = os.lstat(path)
    except (OSError, ValueError):
        return None
    return found if stat.S_ISREG(found.st_mode) and found.st_size <= MAX_BYTES else None


def _paths(folder: str, only: Sequence[str], depth: int) -> Iterator[str]:
    listed = _git_files(folder, only)
    if listed is None:
        wanted = set(only)
        yield from (path for path in _walk(folder, depth) if not wanted or path in wanted)
        return
    for name in listed:
        path = os.path.join(folder, name)  # noqa: PTH118 - for each file
        # A repository within this one is listed as a folder, with a slash at its end if it is untracked.
        if name.endswith(SUFFIXES):
            yield path
        elif depth < _MAX_NESTING and _is_repository(path):
            yield from _paths(path.rstrip("/"), only, depth + 1)


def _is_repository(path: str) -> bool:
    return os.path.isdir(path) and not os.path.islink(path) and os.path.exists(os.path.join(path, ".git"))  # noqa: PTH110, PTH112, PTH114, PTH118


def _git_files(folder: str, only: Sequence[str]) -> list[str] | None:
    """Return the paths that git lists in ``folder``, relative to it; None if git cannot tell."""
    within = {_outermost_repository(path, folder) for path in only if path.startswith(f"{folder}/")}
    names = [os.path.relpath(path, folder) for path in within]
    if only and not names:
        return []
    listed = _output([*GIT, "-C", folder, *_LIST, *names], git_environment())
    return None if listed is None else [os.fsdecode(one) for one in listed.split(b"\0") if one]


def _output(command: Sequence[str], environment: Mapping[str, str]) -> bytes | None:
    """Return what a program prints, at most ``MAX_LISTED_BYTES``; None if it fails or takes too long."""
    try:
        with subprocess.Popen(  # noqa: S603 - a list of arguments, with literal paths
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        ) as process:
            return _read_within_limits(process)
    except OSError as error:
        logger.info("%s cannot be run: %s", command[0], error)
        return None


def _read_within_limits(process: subprocess.Popen[bytes]) -> bytes | None:
    timer = threading.Timer(GIT_TIMEOUT_S, process.kill)
    timer.daemon = True
    timer.start()
    try:
        printed = process.stdout.read(MAX_LISTED_BYTES) if process.stdout is not None else b""
        if len(printed) == MAX_LISTED_BYTES:
            process.kill()
            return printed[: printed.rfind(b"\0") + 1]
        return None if process.wait() else printed
    finally:
        timer.cancel()


def _outermost_repository(path: str, folder: str) -> str:
    """Return the repository within ``folder`` that holds ``path``, or the path: git does not look into it."""
    above = [str(one) for one in reversed(Path(path).parents) if Path(folder) in one.parents]
    return next(filter(_is_repository, above), path)


def _walk(top: str, depth: int) -> Iterator[str]:
    """Yield the source files below ``top`` that are neither hidden nor named by a ``.gitignore``."""
    seen, waiting = 0, [(top, tuple[tuple[str, Patterns], ...]())]
    while waiting:
        folder, above = waiting.pop()
        specs = _with_ignore_file(folder, above)
        for entry in _entries(folder) if specs is not None else ():
            seen += 1
            if seen > MAX_ENTRIES:
                logger.warning("%s has too many files to look at them all", top)
                return
            if entry.is_symlink() or _is_skipped(entry, specs or ()):
                continue
            if entry.is_file(follow_symlinks=False):
                yield entry.path
            elif depth < _MAX_NESTING and _is_repository(entry.path):
                yield from _paths(entry.path, (), depth + 1)
            elif entry.is_dir(follow_symlinks=False):
                waiting.append((entry.path, specs or ()))


def _entries(folder: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as found:
            return sorted(found, key=lambda entry: entry.name)
    except OSError:
        return []


def _is_skipped(entry: os.DirEntry[str], specs: Iterable[tuple[str, Patterns]]) -> bool:
    is_folder = entry.is_dir(follow_symlinks=False)
    if entry.name.startswith(".") or (is_folder and entry.name in _SKIPPED):
        return True
    if is_folder and os.path.exists(os.path.join(entry.path, "pyvenv.cfg")):  # noqa: PTH110, PTH118
        return True
    for folder, spec in specs:  # the deepest first: it decides
        name = os.path.relpath(entry.path, folder) + ("/" if is_folder else "")
        include = spec.verdict(name)
        if include is not None:
            return include
    return False


def _with_ignore_file(
    folder: str, above: tuple[tuple[str, Patterns], ...]
) -> tuple[tuple[str, Patterns], ...] | None:
    """Put the folder's own ``.gitignore`` before those ``above``; None if it cannot be read."""
    path = os.path.join(folder, _IGNORE_FILE)  # noqa: PTH118 - for each folder
    try:
        if not stat.S_ISREG(os.lstat(path).st_mode):  # git does not follow a link either
            return above
        # Something else may have taken the file's place meanwhile.
        content = read_regular(path, MAX_BYTES + 1, follow=False)
        if content is None or len(content) > MAX_BYTES:
            return None
        spec = Patterns(content.decode("utf-8", "replace").splitlines())
    except FileNotFoundError:
        return above
    except (OSError, ValueError):
        return None
    return ((folder, spec), *above)
