"""Atomic writing of files, and reading of files that may be compressed and are not trusted."""

from __future__ import annotations

import gzip
import os
import tempfile
from pathlib import Path

_GZIP_MAGIC = b"\x1f\x8b"


def read_bytes(path: Path, most: int) -> bytes:
    """Return what a file holds, decompressed by gzip if need be: at most ``most`` bytes and one more.

    Raises:
        OSError, EOFError, zlib.error: it cannot be read or decompressed.
    """
    with path.open("rb") as file:
        if not file.read(len(_GZIP_MAGIC)).startswith(_GZIP_MAGIC):
            file.seek(0)
            return file.read(most + 1)
        file.seek(0)
        with gzip.GzipFile(fileobj=file) as inflated:
            return inflated.read(most + 1)


def write_atomically(path: Path, text: str) -> None:
    """Replace the file at ``path`` by ``text``. Everybody can read it.

    Raises:
        OSError: it cannot be written. The old file is still there.
    """
    with tempfile.NamedTemporaryFile(
        "w", encoding="utf-8", dir=path.parent, prefix=f".{path.name}.", delete=False
    ) as file:
        temporary = Path(file.name)
        try:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
            temporary.chmod(0o644)
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
