"""A partly fetched file: appended to, hashed as it grows, and kept when the pull is interrupted."""

from __future__ import annotations

import errno
import hashlib
import os
from pathlib import Path

from attrs import frozen

from copilot_server.errors import DiskSpaceError, HashMismatchError
from copilot_server.fetch.progress import Progress

CHUNK_BYTES = 4 * 2**20


@frozen
class Expected:
    """What a file must be. Without a ``sha256`` only its size is checked."""

    name: str
    size_bytes: int
    sha256: str | None = None


class Partial:
    """Bytes ``[0, size_bytes)`` of an expected file.

    Every source of a file delivers the same bytes, so one can continue what another began. The class has as
    much of a binary file's interface as huggingface_hub needs to write to it.
    """

    def __init__(self, path: Path, expected: Expected, progress: Progress) -> None:
        """Open ``path``, and hash what it already holds."""
        self.path = path
        self.expected = expected
        self.size_bytes = 0
        self.progress = progress
        self._sha256 = hashlib.sha256()
        self._file = path.open("a+b")
        self._read_what_is_there()

    @property
    def complete(self) -> bool:
        """Whether the file has its full size, whatever its content."""
        return self.size_bytes == self.expected.size_bytes

    @property
    def sha256(self) -> str:
        """The hash of what is there so far."""
        return self._sha256.hexdigest()

    def write(self, data: bytes) -> int:
        """Append ``data``.

        Raises:
            DiskSpaceError: the disk is full.
            HashMismatchError: the file would be larger than expected.
        """
        if self.size_bytes + len(data) > self.expected.size_bytes:
            raise self.mismatch(f"more than its {self.expected.size_bytes} bytes arrived")
        try:
            self._file.write(data)
            self._file.flush()
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise
            msg = f"The disk filled up after {self.size_bytes} bytes of {self.expected.name}."
            remedy = "Free some space and pull again: the pull continues where it stopped."
            raise DiskSpaceError(msg, remedy=remedy) from error
        self._count(data)
        return len(data)

    def tell(self) -> int:
        """Return where the next write goes: always the end."""
        return self.size_bytes

    def seek(self, offset: int) -> int:
        """Go to the start, or stay at the end: an append-only file needs nothing else."""
        if offset == 0 < self.size_bytes:
            self.restart()
        return self.size_bytes

    def truncate(self) -> int:
        """Do nothing: ``seek`` has truncated the file already."""
        return self.size_bytes

    def restart(self) -> None:
        """Discard what the file holds."""
        self.progress.advance(-self.size_bytes)
        self._file.truncate(0)
        self._sha256 = hashlib.sha256()
        self.size_bytes = 0

    def settle(self, destination: Path) -> None:
        """Move the complete, correct file to ``destination`` in one step that survives a power cut.

        Raises:
            HashMismatchError: it is incomplete or wrong.
        """
        if not self.complete:
            raise self.mismatch(f"it ends after {self.size_bytes} of {self.expected.size_bytes} bytes")
        if self.expected.sha256 not in {None, self.sha256}:
            raise self.mismatch(f"its sha256 is {self.sha256}, not {self.expected.sha256}")
        os.fsync(self._file.fileno())
        self._file.close()
        self.path.replace(destination)
        sync_folder(destination.parent)

    def close(self) -> None:
        """Leave the bytes as they are, for the next pull to continue from."""
        self._file.close()

    def mismatch(self, fault: str) -> HashMismatchError:
        """Return the error that says how the bytes differ from the expected ones."""
        return HashMismatchError(f"{self.expected.name} is not what it should be: {fault}.")

    def _read_what_is_there(self) -> None:
        self._file.seek(0)
        while data := self._file.read(CHUNK_BYTES):
            self._sha256.update(data)
            self.size_bytes += len(data)
        self.progress.advance(self.size_bytes)
        if self.size_bytes > self.expected.size_bytes:
            self.restart()

    def _count(self, data: bytes) -> None:
        self._sha256.update(data)
        self.size_bytes += len(data)
        self.progress.advance(len(data))


def sync_folder(folder: Path) -> None:
    """Make a rename inside ``folder`` durable, where the system can open a folder."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
