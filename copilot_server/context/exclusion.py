"""Which files the model must not see: secrets, and what the user has excluded.

Patterns have the syntax of .gitignore. They are the built-in ones, the user's own, and those in the files
named ``.copilotignore`` in the folders above a document, which apply below their folder. As in git, the last
pattern that matches decides, deeper ignore files take precedence, and nothing in an excluded folder can be
included again.

An ignore file that cannot be read completely excludes everything below it: a missing suggestion does less
harm than a secret that the model reads. A repository brings such files, and this is asked at keys, so what
they may cost is limited: regular files alone are read, and where too many patterns meet too deep a path, the
file is excluded.
"""

from __future__ import annotations

import errno
import logging
import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import PurePosixPath
from urllib.parse import unquote, urlsplit

from copilot_server.context.patterns import MAX_PATTERN, Patterns
from copilot_server.context.regular_file import read_regular

logger = logging.getLogger(__name__)

IGNORE_FILE = ".copilotignore"
#: Files that usually hold keys, passwords or other people's code.
BUILT_IN = (
    *(".env", ".env.*", "!.env.example", "!.env.sample", "!.env.template", ".envrc"),
    *("*.pem", "*.key", "*.p12", "*.pfx", "*.jks", "*.keystore", "*.kdbx", "*.ppk", "*.asc", "*.gpg"),
    *("id_rsa*", "id_dsa*", "id_ecdsa*", "id_ed25519*", ".ssh/", ".gnupg/", ".aws/"),
    *(".netrc", "_netrc", ".pgpass", ".pypirc", ".npmrc", ".htpasswd", ".git-credentials", ".vault-token"),
    *("secrets.yml", "secrets.yaml", "secrets.json", "secrets.toml", "credentials.json"),
    *("**/.docker/config.json", "**/.kube/config", "*.tfstate", "*.tfvars", "node_modules/", ".git/"),
)
#: The largest ignore file that is read, in bytes. Nobody writes a larger one by hand.
MAX_BYTES = 1 << 16
#: The most steps that matching may take for one file: some tenths of a second.
MAX_STEPS = 100_000_000
#: The longest path of a file that is not excluded, in characters.
MAX_PATH = 4096

_EXCLUDED = "This file is excluded."
_TOO_MUCH = (
    f"This file is excluded: the {IGNORE_FILE} files above it have too many patterns for so deep a path."
)
_NOT_REGULAR = "it is not a regular file"
_TOO_LARGE = f"it is larger than {MAX_BYTES >> 10} KiB"
#: The errors of ``stat`` that mean that there is no ignore file.
_ABSENT = {errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG}


def check_pattern(pattern: str) -> None:
    """Check the syntax of a pattern.

    Raises:
        ValueError: it is not a valid pattern of .gitignore.
    """
    Patterns([pattern])


class Exclusions:
    """Decides whether a document is excluded, by the patterns and by the ignore files now on disk."""

    def __init__(
        self, patterns: Sequence[str] = (), folders: Sequence[str] = (), added: Sequence[str] = ()
    ) -> None:
        """``patterns``: the user's. ``folders``: URIs of the workspace's folders, where patterns may begin.

        ``added``: a project's own patterns. They exclude more, and include nothing that the built-in ones and
        the user's exclude. Patterns ignore case, as file systems on Windows and macOS do.
        """
        #: The patterns, from which another process can make the same exclusions.
        self.patterns, self.added = tuple(patterns), tuple(added)
        self._patterns = Patterns([*BUILT_IN, *(one.lower() for one in patterns)])
        self._added = Patterns([one.lower() for one in added])
        self._folders = sorted((_path_of(one) for one in folders), key=len, reverse=True)
        self._fits = lru_cache(1024)(self._fits_a_pattern)
        # The files of a folder share the folders above it.
        self._matches = lru_cache(1024)(self._matches_a_pattern)

    @property
    def described(self) -> tuple[str, ...]:
        """All patterns as one list, which is another one for each way to exclude files."""
        return (*self.patterns, *(("", *self.added) if self.added else ()))

    def excludes(self, uri: str) -> bool:
        """Whether the document must be neither completed nor read for context."""
        return self.reason(uri) is not None

    def reason(self, uri: str) -> str | None:
        """Return why the document is excluded, as a sentence; None if it is not."""
        path = _path_of(uri)
        if urlsplit(uri).scheme != "file":
            return self._reason(path)
        # A link is also checked by its target: settings.txt may point to .env.
        paths = dict.fromkeys((path, os.path.realpath(path)))
        return next((why for one in paths if (why := self._reason(one)) is not None), None)

    def _reason(self, path: str) -> str | None:
        if len(path) > MAX_PATH or self._fits(path):
            return _EXCLUDED
        return _ignored_on_disk(PurePosixPath(path))

    def _matches_a_pattern(self, path: str) -> bool:
        return self._patterns.excludes(path) or self._added.excludes(path)

    def _fits_a_pattern(self, path: str) -> bool:
        # The path from the root is checked as well: a workspace inside .ssh stays secret when it is opened.
        names = {path.lstrip("/"), _relative(path, self._folders)}
        paths = [one for name in names for one in _with_parents(PurePosixPath(name.lower()))]
        steps = (self._patterns.steps + self._added.steps) * sum(map(len, paths))
        return steps > MAX_STEPS or any(map(self._matches, paths))


def _path_of(uri: str) -> str:
    """Return the path in a URI; for ``untitled:`` and the like, the name. A plain path stays unchanged."""
    parts = urlsplit(uri)
    path = unquote(parts.path) if parts.scheme else uri
    # file:///c:/x denotes the file c:/x.
    return path[1:] if len(path) > 2 and path[0] == "/" and path[2] == ":" else path


def _relative(path: str, folders: Sequence[str]) -> str:
    for folder in folders:
        if path.startswith(folder.rstrip("/") + "/"):
            return path[len(folder.rstrip("/")) + 1 :]
    return path.lstrip("/")


def _with_parents(path: PurePosixPath) -> Iterator[str]:
    """Yield the folders of a path, outermost first, each with a final slash, and then the path."""
    for parent in reversed(path.parents[:-1]):
        yield f"{parent}/"
    yield str(path)


@dataclass(frozen=True, slots=True)
class _IgnoreFile:
    """The patterns of an ignore file, or why it excludes everything below it."""

    patterns: Patterns
    error: str | None = None


def _ignored_on_disk(path: PurePosixPath) -> str | None:
    """Return why the ignore files above ``path`` exclude it or a folder above it; None if they do not."""
    if not path.is_absolute():
        return None
    ignores = [(folder, one) for folder in path.parents if (one := _ignore_file(str(folder))) is not None]
    error = next((ignore.error for _, ignore in ignores if ignore.error is not None), None)
    if error is not None:
        return error
    paths = [*(f"{parent}/" for parent in reversed(path.parents[:-1])), str(path)] if ignores else []
    if sum(ignore.patterns.steps for _, ignore in ignores) * sum(map(len, paths)) > MAX_STEPS:
        return _TOO_MUCH
    return _EXCLUDED if any(_verdict(one, ignores) for one in paths) else None


def _verdict(path: str, ignores: Sequence[tuple[PurePosixPath, _IgnoreFile]]) -> bool:
    """Whether the deepest ignore file that matches ``path`` excludes it. A folder ends in a slash."""
    for folder, ignore in ignores:
        above = f"{str(folder).rstrip('/')}/"
        if path.startswith(above) and path != above:
            verdict = ignore.patterns.verdict(path[len(above) :])
            if verdict is not None:
                return verdict
    return False


def _ignore_file(folder: str) -> _IgnoreFile | None:
    path = os.path.join(folder, IGNORE_FILE)  # noqa: PTH118 - called for each folder at each key
    try:
        found = os.stat(path)  # noqa: PTH116
    except ValueError:  # such a path cannot exist
        return None
    except OSError as error:
        return None if error.errno in _ABSENT else _unreadable(path, error.strerror)
    if not stat.S_ISREG(found.st_mode):
        return _unreadable(path, _NOT_REGULAR)
    if found.st_size > MAX_BYTES:
        return _unreadable(path, _TOO_LARGE)
    return _read_ignore_file(path, found.st_mtime_ns, found.st_ctime_ns, found.st_size)


@lru_cache(256)
def _unreadable(path: str, why: str) -> _IgnoreFile:
    logger.warning("%s cannot be read (%s), so everything below it is excluded", path, why)
    reason = f"This file is excluded: {path} cannot be read ({why})."
    return _IgnoreFile(Patterns(["*"]), reason)


@lru_cache(256)
def _read_ignore_file(path: str, _mtime_ns: int, _ctime_ns: int, _size: int) -> _IgnoreFile:
    """Read an ignore file. The cache makes this happen only once after each change."""
    try:
        content = read_regular(path, MAX_BYTES + 1)
        if content is None:  # it has been replaced since ``stat``
            return _unreadable(path, _NOT_REGULAR)
    except OSError as error:
        return _unreadable(path, error.strerror)
    if len(content) > MAX_BYTES:  # it has grown since ``stat``
        return _unreadable(path, _TOO_LARGE)
    lines = content.decode("utf-8-sig", errors="replace").splitlines()
    if any(len(line) > MAX_PATTERN for line in lines):
        return _unreadable(path, f"it has a line of more than {MAX_PATTERN} characters")
    return _IgnoreFile(Patterns(_readable(path, lines)))


def _readable(path: str, lines: Sequence[str]) -> Iterator[str]:
    for number, line in enumerate(lines, start=1):
        try:
            check_pattern(line)
        except ValueError:
            logger.warning("%s, line %d, is not a pattern of .gitignore", path, number)
        else:
            yield line
