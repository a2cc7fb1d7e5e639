"""What is made of a model once, such as packed weights: kept in our own folders, believed only if it is ours.

A folder or a file that a user names may have been made by anybody, and what lies beside it too. So nothing is
taken from there but the model itself.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

from copilot_server.errors import ModelError
from copilot_server.fetch.store import HOME_VARIABLE, home, read_records, records_path, write_records

#: What others may do with a file that is not believed: write to it.
_WRITABLE_BY_OTHERS = stat.S_IWGRP | stat.S_IWOTH
_REMEDY = f"Remove it, or set {HOME_VARIABLE} to a folder of your own."


def derived_folder(model: Path) -> Path:
    """Return the folder, created if need be, for what is made of a model: a folder or a single file.

    Of a model that was pulled it is the model's own folder, which only we write to. Of any other it is one of
    this user's among the cached models; of a single file, another one whenever the file's time has changed.

    Raises:
        ModelError: it belongs to another user.
    """
    folder = model if model.is_dir() else model.parent
    if _is_kept_by_us(folder):
        return folder
    made = home() / "prepared"
    for private in (made, made / _name(model)):
        _make_private(private)
    return made / _name(model)


def is_ours(path: Path) -> bool:
    """Whether nobody else can have written the file or folder.

    It is this user's, the administrator's, or of whoever owns the home of all models; it is no link; and no
    group may write to it. Windows keeps a user's folders from other users, and has no such modes.
    """
    if os.name == "nt":
        return True
    try:
        status, owner = path.lstat(), home().stat().st_uid
    except OSError:
        return False
    is_plain = stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode)
    return is_plain and not status.st_mode & _WRITABLE_BY_OTHERS and status.st_uid in {0, os.geteuid(), owner}


def are_ours(folder: Path) -> bool:
    """Whether nobody else can have written a folder and the files that were made with it."""
    return is_ours(folder) and all(map(is_ours, _files(folder)))


def make_private(folder: Path) -> None:
    """Keep others from writing to a folder that was just made and to its files, whatever the umask."""
    for path in (folder, *folder.iterdir()):
        path.chmod(path.stat().st_mode & ~_WRITABLE_BY_OTHERS)


def seal(path: Path, sha256: str | None = None) -> None:
    """Record the hashes of a file, or of a folder's files, that were just made; see ``is_intact``.

    ``sha256``: that of a file, where it is known.
    """
    write_records(path, {path: sha256} if sha256 else {file: _hash(file) for file in _files(path)})
    records_path(path).chmod(0o600)


def is_intact(path: Path) -> bool:
    """Whether a file, or a folder's files, are ours and as they were made, after reading all of them."""
    records = {name: record.sha256 for name, record in read_records(path).items()}
    if not is_ours(path) or not all(map(is_ours, _files(path))):
        return False
    return {file.name: _hash(file) for file in _files(path)} == records != {}


def derived_from(model: Path) -> Iterator[Path]:
    """Yield what was made of a pulled model: unpacked folders, and files of packed weights."""
    beside = model.parent.iterdir()
    unpacked = [one for one in beside if one.name.startswith(f"{model.stem}-") and one.is_dir()]
    for folder in [model] if model.is_dir() else unpacked:
        yield from folder.glob("packed-*.weights")
        if folder != model:
            yield folder


def remove(path: Path) -> None:
    """Remove what was made of a model, and its record; it is made again when it is needed."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
    records_path(path).unlink(missing_ok=True)


def _is_kept_by_us(folder: Path) -> bool:
    kept = [(home() / name).resolve() for name in ("models", "prepared")]
    return any(one in folder.resolve().parents for one in kept)


def _name(model: Path) -> str:
    """Return a name that no other model has."""
    resolved, status = model.resolve(), model.stat()
    version = "" if model.is_dir() else f" {status.st_size} {status.st_mtime_ns}"
    digest = hashlib.sha256(os.fsencode(f"{resolved}{version}")).hexdigest()
    return f"{resolved.stem}-{digest[:32]}"


def _make_private(folder: Path) -> None:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if os.name != "nt" and folder.lstat().st_uid == os.geteuid() and not folder.is_symlink():
        folder.chmod(folder.stat().st_mode & ~_WRITABLE_BY_OTHERS)
    if not is_ours(folder):
        msg = f"The folder {folder} belongs to another user, or others may write to it."
        raise ModelError(msg, remedy=_REMEDY)


def _files(path: Path) -> list[Path]:
    """Return the file, or the files that were written into a folder when it was made."""
    if not path.is_dir():
        return [path]
    return [one for one in sorted(path.iterdir()) if not one.name.startswith((".", "packed-"))]


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
