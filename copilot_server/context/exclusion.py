"""Which files are none of the model's business: secrets, and what the user has excluded.

Patterns are those of .gitignore. There are the built-in ones, the user's own, and those of the files named
``.copilotignore`` in the folders above a file, each for what lies beneath it. As in git the last pattern that
fits decides, a deeper file's word counts more, and what lies in an excluded folder cannot be taken back.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import PurePosixPath
from urllib.parse import unquote, urlsplit

from pathspec import GitIgnoreSpec

logger = logging.getLogger(__name__)

IGNORE_FILE = ".copilotignore"
#: Where keys, passwords and other people's code lie.
BUILT_IN = (
    *(".env", ".env.*", "!.env.example", "!.env.sample", "!.env.template", ".envrc"),
    *("*.pem", "*.key", "*.p12", "*.pfx", "*.jks", "*.keystore", "*.kdbx", "*.ppk", "*.asc", "*.gpg"),
    *("id_rsa*", "id_dsa*", "id_ecdsa*", "id_ed25519*", ".ssh/", ".gnupg/", ".aws/"),
    *(".netrc", "_netrc", ".pgpass", ".pypirc", ".npmrc", ".htpasswd", ".git-credentials", ".vault-token"),
    *("secrets.yml", "secrets.yaml", "secrets.json", "secrets.toml", "credentials.json"),
    *("**/.docker/config.json", "**/.kube/config", "*.tfstate", "*.tfvars", "node_modules/", ".git/"),
)
#: No ignore file that people write is longer, in bytes; a longer one is cut.
_MOST_BYTES = 1 << 20


def check_pattern(pattern: str) -> None:
    """Say whether a pattern can be used.

    Raises:
        ValueError: it is no pattern of .gitignore.
    """
    GitIgnoreSpec.from_lines([pattern])


class Exclusions:
    """Says of a document whether it is excluded, by the patterns and by what lies on disk right now."""

    def __init__(self, patterns: Sequence[str] = (), folders: Sequence[str] = ()) -> None:
        """``patterns``: the user's own. ``folders``: the workspace's, as URIs; a pattern may begin there.

        Case does not count, for on half of all machines it does not count in a file's name.
        """
        self._patterns = GitIgnoreSpec.from_lines([*BUILT_IN, *(one.lower() for one in patterns)])
        self._folders = sorted((_path_of(one) for one in folders), key=len, reverse=True)
        self._fits = lru_cache(1024)(self._fits_a_pattern)

    def excludes(self, uri: str) -> bool:
        """Whether the document is neither to be completed nor to be read for context."""
        path = _path_of(uri)
        if urlsplit(uri).scheme != "file":
            return self._is_excluded(path)
        # A link is what it leads to, too: settings.txt may lead to .env.
        return any(self._is_excluded(one) for one in {path, os.path.realpath(path)})

    def _is_excluded(self, path: str) -> bool:
        return self._fits(path) or _ignored_on_disk(PurePosixPath(path))

    def _fits_a_pattern(self, path: str) -> bool:
        # From the root too: a workspace that lies in .ssh is no less secret for having been opened.
        names = {path.lstrip("/"), _relative(path, self._folders)}
        paths = [one for name in names for one in _with_parents(PurePosixPath(name.lower()))]
        return any(map(self._patterns.match_file, paths))


def _path_of(uri: str) -> str:
    """The path in a URI; for ``untitled:`` and its like their name. A path stays as it is."""
    parts = urlsplit(uri)
    path = unquote(parts.path) if parts.scheme else uri
    # file:///c:/x is the file c:/x.
    return path[1:] if len(path) > 2 and path[0] == "/" and path[2] == ":" else path


def _relative(path: str, folders: Sequence[str]) -> str:
    for folder in folders:
        if path.startswith(folder.rstrip("/") + "/"):
            return path[len(folder.rstrip("/")) + 1 :]
    return path.lstrip("/")


def _with_parents(path: PurePosixPath) -> Iterator[str]:
    """The folders of a path, outermost first and marked as such, and then the path."""
    for parent in reversed(path.parents[:-1]):
        yield f"{parent}/"
    yield str(path)


def _ignored_on_disk(path: PurePosixPath) -> bool:
    """Whether the ignore files above ``path`` exclude it or a folder it lies in."""
    if not path.is_absolute():
        return False
    ignores = [(folder, spec) for folder in path.parents if (spec := _ignore_file(str(folder))) is not None]
    parents = [f"{parent}/" for parent in reversed(path.parents[:-1])]
    return any(_verdict(one, ignores) for one in (*parents, str(path))) if ignores else False


def _verdict(path: str, ignores: Sequence[tuple[PurePosixPath, GitIgnoreSpec]]) -> bool:
    """What the deepest ignore file says that has a word on ``path``, a folder if it ends in a slash."""
    for folder, spec in ignores:
        above = f"{str(folder).rstrip('/')}/"
        if path.startswith(above) and path != above:
            include = spec.check_file(path[len(above) :]).include
            if include is not None:
                return include
    return False


def _ignore_file(folder: str) -> GitIgnoreSpec | None:
    path = os.path.join(folder, IGNORE_FILE)  # noqa: PTH118 - asked for each folder at each key
    try:
        found = os.stat(path)  # noqa: PTH116
    except (OSError, ValueError):
        return None
    return _read_ignore_file(path, found.st_mtime_ns, found.st_size)


@lru_cache(256)
def _read_ignore_file(path: str, _mtime_ns: int, _size: int) -> GitIgnoreSpec | None:
    """Read an ignore file, once for each time that it changes.

    One that is there and cannot be read is believed to exclude everything: better nothing than a secret.
    """
    try:
        with open(path, "rb") as file:  # noqa: PTH123
            text = file.read(_MOST_BYTES).decode("utf-8-sig", errors="replace")
    except OSError as error:
        logger.warning("%s cannot be read (%s), so nothing beneath it is completed", path, error.strerror)
        return GitIgnoreSpec.from_lines(["*"])
    return GitIgnoreSpec.from_lines(_readable(path, text.splitlines()))


def _readable(path: str, lines: Sequence[str]) -> Iterator[str]:
    for number, line in enumerate(lines, start=1):
        try:
            check_pattern(line)
        except ValueError:
            logger.warning("%s, line %d, is no pattern of .gitignore", path, number)
        else:
            yield line
