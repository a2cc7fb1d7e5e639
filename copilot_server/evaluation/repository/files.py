"""The source files of a repository that tasks can be drawn from, in the order in which they are drawn."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path, PurePosixPath

from copilot_server.context.exclusion import Exclusions
from copilot_server.errors import ConfigError, DataError
from copilot_server.evaluation.benchmarks.seeding import seeded
from copilot_server.evaluation.repository import git
from copilot_server.evaluation.repository.types import SourceFile

#: The language of the files that tasks are drawn from, by the ends of their names.
LANGUAGES: Mapping[str, str] = {".py": "python"}

#: Larger files are seldom written by hand, in bytes.
MAX_BYTES = 200_000
#: The most files that are read to find copies of a text.
MAX_READ = 50_000

_GENERATED_NAME = re.compile(r"(_pb2(_grpc)?|_generated|\.generated|(^|/)_?version)\.\w+$")
_FOREIGN_FOLDERS = frozenset(
    {"vendor", "vendored", "_vendor", "_vendored", "third_party", "node_modules", "generated", "_generated"}
)
_GENERATED_TEXT = re.compile(
    r"@generated|\bauto-?generated\b|\bgenerated (by|from|automatically)\b|\bdo not (edit|modify)\b",
    re.IGNORECASE,
)
#: Folders without git: what version control would leave out.
_LEFT_OUT = frozenset({"__pycache__", "build", "dist", "site-packages", *_FOREIGN_FOLDERS})


@dataclass(frozen=True, slots=True)
class Repository:
    """A folder with source files.

    Attributes:
        commit: the hash of the commit that is checked out; empty without git, or before the first commit.
        visible: all files whose text may get into a prompt, which are not excluded.
        drawn: those that tasks are drawn from, in this order.
        notes: what the user should know about the choice.
    """

    folder: Path
    commit: str
    visible: tuple[str, ...]
    drawn: tuple[str, ...]
    notes: tuple[str, ...] = ()

    def read(self, path: str) -> str | None:
        """Return the text of a file with its line ends; None for what is no source text."""
        return read_text(self.folder / path)

    def read_anything(self, path: str) -> str:
        """Return what of a file is text, whatever its size and its encoding; "" if it cannot be read."""
        try:
            return (self.folder / path).read_text("utf-8", errors="replace")
        except OSError:
            return ""

    def source(self, path: str) -> SourceFile | None:
        """Return a file that tasks can be drawn from; None for one that is generated or cannot be read."""
        text = self.read(path)
        if text is None or is_generated(path, text):
            return None
        language = LANGUAGES[PurePosixPath(path).suffix]
        return SourceFile(path, (self.folder / path).as_uri(), language, text)


def open_repository(folder: Path, exclude: Sequence[str], *, since: date | None, seed: int) -> Repository:
    """Find the files of a repository.

    Raises:
        ConfigError: there is no such folder, git cannot read it, or ``since`` needs git.
        DataError: it has no file that tasks could be drawn from.
    """
    if not folder.is_dir():
        kind = "no folder" if folder.exists() else "not there"
        raise ConfigError(f"{folder} is {kind}.", remedy="Name the folder of a repository.")
    folder = folder.resolve()
    exclusions = Exclusions(exclude, [folder.as_uri()])
    found = _with_git(folder, since) if git.is_repository(folder) else _without_git(folder, since)

    def is_usable(path: str) -> bool:
        file = folder / path
        return file.is_file() and not file.is_symlink() and not exclusions.excludes(file.as_uri())

    visible = [path for path in found.visible if is_usable(path)]
    usable = set(visible)
    drawn = [path for path in found.ages if path in usable and _is_drawn(path)]
    if not drawn:
        new = f" that was added since {since}" if since else ""
        endings = ", ".join(LANGUAGES)
        raise DataError(
            f"{folder} has no source file{new} to draw tasks from (those that end in {endings}).",
            remedy="Name an earlier date." if since else "Name another folder, or commit its files.",
        )
    drawn.sort(key=lambda path: (found.ages[path], seeded(seed, plain(path)).random()))
    return Repository(folder, found.commit, tuple(visible), tuple(drawn), found.notes)


def read_text(path: Path) -> str | None:
    """Return the text of a file with its line ends, or None for what is no source text."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError:
        return None
    if len(data) > MAX_BYTES or b"\0" in data:
        return None
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return None


def plain(path: str) -> str:
    """Return a path without what stands for bytes that are no UTF-8, which nothing can encode."""
    return path.encode("utf-8", "replace").decode()


def is_generated(path: str, text: str) -> bool:
    """Whether a program wrote the file, by its name or by what its first lines say."""
    return bool(_GENERATED_NAME.search(path) or _GENERATED_TEXT.search(text[:1000]))


@dataclass(frozen=True, slots=True)
class _Found:
    commit: str
    visible: list[str]
    ages: Mapping[str, int]
    notes: tuple[str, ...] = ()


def _with_git(folder: Path, since: date | None) -> _Found:
    touched, paths = git.newest_first(folder), git.tracked(folder)
    new = set(paths) if since is None else git.added_since(folder, since)
    ages = {path: touched.get(path, git.COMMITS) for path in paths if path in new}
    return _Found(git.head(folder), git.visible(folder), ages)


def _without_git(folder: Path, since: date | None) -> _Found:
    if since is not None:
        raise ConfigError(
            f"{folder} is no git repository, so nothing says which of its files are new.",
            remedy="Leave out --since, or run `git init` and commit its files.",
        )
    paths = sorted(_walk(folder))
    note = f"{folder} is no git repository: all of its source files count, in no order of time."
    return _Found("", paths, dict.fromkeys(paths, 0), (note,))


def _walk(folder: Path) -> Iterator[str]:
    for root, folders, names in os.walk(folder):
        folders[:] = [
            name
            for name in folders
            if not name.startswith(".")
            and name not in _LEFT_OUT
            and not (Path(root) / name / "pyvenv.cfg").exists()
        ]
        yield from ((Path(root) / name).relative_to(folder).as_posix() for name in names)


def _is_drawn(path: str) -> bool:
    """Whether a person of the project has written the file in a known language, as far as its path tells."""
    parts = PurePosixPath(path)
    return parts.suffix in LANGUAGES and not _FOREIGN_FOLDERS.intersection(parts.parts)
