"""The process that builds and updates the index, so that the server reads keys meanwhile.

It reads what to do as one line of JSON from standard input, and ends when that is closed: with the server.
Usage: ``python -P -m copilot_server.workspace.indexer``.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import sqlite3
import sys
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import islice
from pathlib import Path

import filelock

from copilot_server.context.exclusion import Exclusions
from copilot_server.context.regular_file import read_regular
from copilot_server.shown import ShownFormatter
from copilot_server.workspace.background import end_after, lower_priority
from copilot_server.workspace.files import MAX_FILES, SourceFile, list_files
from copilot_server.workspace.languages import Content, read_bytes
from copilot_server.workspace.names import FileNames
from copilot_server.workspace.python.roots import PYTHON, top_level_modules
from copilot_server.workspace.store import Writer, delete, delete_unused, is_damage, open_for_writing
from copilot_server.workspace.summary import FileSummary
from copilot_server.workspace.tags.languages import family_of

logger = logging.getLogger(__name__)

#: How many files are saved at once.
BATCH = 100
#: A file that was changed so shortly before it was read may change again without a later time.
RACE_NS = 50_000_000
_LOCK_S = 600.0


@dataclass(frozen=True, slots=True)
class Job:
    """Bring ``database`` up to date.

    ``patterns`` and ``added``: what is excluded, as in ``Exclusions``. ``paths``: only these files may have
    changed; None for any. ``file_cpu_s``: how much processor time a file may take; the process ends if one
    takes more. ``is_careful``: each file is saved as an empty one before it is read, so that one that ends
    the process is not read again.
    """

    database: str
    folders: tuple[str, ...]
    patterns: tuple[str, ...] = ()
    paths: tuple[str, ...] | None = None
    file_cpu_s: float = 0.0
    is_careful: bool = False
    added: tuple[str, ...] = ()

    def to_json(self) -> str:
        """Return the job as one line."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, line: str) -> Job:
        """Read what ``to_json`` wrote."""
        fields = json.loads(line)
        for name in ("folders", "patterns", "paths", "added"):
            fields[name] = None if fields[name] is None else tuple(fields[name])
        return cls(**fields)


@dataclass(frozen=True, slots=True)
class Outcome:
    """How many files the index has, and how many of them were read or removed by this job."""

    files: int
    read: int
    removed: int


def index(job: Job) -> Outcome:
    """Do a job. A damaged database is rebuilt. Only one process at a time writes a database.

    Raises:
        OSError, sqlite3.Error, filelock.Timeout: the database cannot be written.
    """
    database = Path(job.database)
    database.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with filelock.FileLock(database.with_suffix(".lock"), timeout=_LOCK_S, mode=0o600):
        try:
            outcome = _index(job, database)
        except sqlite3.DatabaseError as error:
            if not is_damage(error):
                raise
            logger.warning("The index %s is damaged and is built again", database)
            delete(database)
            outcome = _index(replace(job, paths=None), database)
        os.utime(database)
    delete_unused(database.parent, time.time())
    return outcome


def _index(job: Job, database: Path) -> Outcome:
    with contextlib.closing(open_for_writing(database)) as connection:
        writer = Writer(connection)
        known = writer.known()
        listed = {file.path: file for file in _list(job)}
        considered = known.keys() if job.paths is None else known.keys() & set(job.paths)
        removed = [path for path in considered if path not in listed]
        if removed:
            writer.remove(removed)
        changed = [one for one in listed.values() if known.get(one.path) != (one.mtime_ns, one.size)]
        paths = (known.keys() - set(removed)) | listed.keys()
        # The names of modules come first, so that what is read can be found at once.
        modules = [path for path in paths if path.endswith(PYTHON)]
        writer.set_roots(top_level_modules(modules, job.folders))
        contents = _contents(changed, job, writer)
        while batch := list(islice(contents, 1 if job.is_careful else BATCH)):
            # A file counts as read once its summary is there, so that comes last.
            writer.put_names((file.path, one.names.to_json(), one.names.uses()) for file, one in batch)
            writer.put(
                [(file, one.summary.to_json()) for file, one in batch],
                [(file.path, one.windows) for file, one in batch],
                {file.path: list(one.summary.names()) for file, one in batch if family_of(file.path)},
            )
        return Outcome(len(paths), len(changed), len(removed))


def _list(job: Job) -> Iterator[SourceFile]:
    exclusions = Exclusions(job.patterns, [Path(folder).as_uri() for folder in job.folders], job.added)
    left = MAX_FILES
    for folder in job.folders:
        for file in list_files(Path(folder), exclusions, job.paths or (), left):
            left -= 1
            yield file


def _contents(files: Iterable[SourceFile], job: Job, writer: Writer) -> Iterator[tuple[SourceFile, Content]]:
    for file in files:
        if job.is_careful:
            writer.put_names([(file.path, FileNames(is_open=True).to_json(), ())])
            writer.put([(file, FileSummary().to_json())])
        end_after(job.file_cpu_s)
        now_ns = time.time_ns()
        try:
            # A link or a pipe may have taken the file's place since it was listed.
            content = read_regular(file.path, file.size + 1, follow=False) or b""
        except OSError:
            content = b""
        is_settled = len(content) == file.size and now_ns - file.mtime_ns > RACE_NS
        known = file if is_settled else SourceFile(file.path, -1, file.size)
        yield known, read_bytes(file.path, content)
        end_after(0.0)


def _end_with_the_server() -> None:
    """Wait until standard input is closed, and end the process."""
    sys.stdin.read()
    os._exit(1)


def main(arguments: Sequence[str] | None = None) -> int:
    """Do the job that standard input names, and print its outcome as JSON."""
    del arguments
    handler = logging.StreamHandler()
    handler.setFormatter(ShownFormatter("%(levelname)s: %(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    lower_priority()
    job = Job.from_json(sys.stdin.readline())
    threading.Thread(target=_end_with_the_server, daemon=True).start()
    try:
        outcome = index(job)
    except (OSError, sqlite3.Error, filelock.Timeout) as error:
        logger.warning("The workspace is not indexed: %s", error)
        return 1
    sys.stdout.write(json.dumps(asdict(outcome)) + "\n")
    sys.stdout.flush()
    return 0


if __name__ == "__main__":
    # The thread that reads standard input holds its lock, for which the interpreter would wait.
    code = main()
    sys.stderr.flush()
    os._exit(code)
