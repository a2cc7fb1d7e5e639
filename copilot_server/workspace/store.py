"""The index on disk: a SQLite database that one process writes and others read meanwhile."""

from __future__ import annotations

import contextlib
import hashlib
import os
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from urllib.parse import quote

from copilot_server.workspace.files import SourceFile
from copilot_server.workspace.similar import store as similar
from copilot_server.workspace.similar.store import Location
from copilot_server.workspace.similar.windows import Window

#: It is raised whenever the tables or the summaries change; a database of another version is rebuilt.
SCHEMA = 5
BUSY_S = 10.0
#: Databases of workspaces that nobody has opened for so long are deleted.
UNUSED_DAYS = 60
#: A name that more files define says nothing; and how many files of a folder are looked at.
MAX_DEFINING, MAX_IN_FOLDER = 30, 200
_TABLES = (
    "CREATE TABLE files (path TEXT NOT NULL PRIMARY KEY, mtime_ns INTEGER NOT NULL, size INTEGER NOT NULL,"
    " summary TEXT NOT NULL)",
    # The names that can be imported absolutely, with the folders that hold them.
    "CREATE TABLE roots (name TEXT NOT NULL, root TEXT NOT NULL, PRIMARY KEY (name, root)) WITHOUT ROWID",
    # The names in each file, and how files use those of attributes.
    "CREATE TABLE names (id INTEGER PRIMARY KEY, path TEXT NOT NULL UNIQUE, names TEXT NOT NULL)",
    "CREATE TABLE uses (use TEXT NOT NULL, name TEXT NOT NULL, file INTEGER NOT NULL,"
    " PRIMARY KEY (use, name, file)) WITHOUT ROWID",
    "CREATE INDEX uses_of_file ON uses (file)",
    *similar.TABLES,
    # What files define, for languages in which an import does not say where a name comes from. A file is the
    # number of its row.
    "CREATE TABLE defined (name TEXT NOT NULL, file INTEGER NOT NULL, PRIMARY KEY (name, file))"
    " WITHOUT ROWID",
    "CREATE INDEX defined_by_file ON defined (file)",
    f"PRAGMA user_version = {SCHEMA}",
)


def database_of(cache: Path, folders: Iterable[str], patterns: Iterable[str]) -> Path:
    """Return the database of a workspace: its folders and what is excluded from them."""
    described = "\0".join([*sorted(folders), "", *patterns])
    name = hashlib.sha256(described.encode("utf-8", "surrogatepass")).hexdigest()[:24]
    return cache / f"{name}.sqlite3"


def open_for_writing(path: Path) -> sqlite3.Connection:
    """Open the database. It is created if necessary, and one that is damaged or outdated is rebuilt.

    Raises:
        OSError, sqlite3.Error: it cannot be opened.
    """
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        return _opened(path)
    except sqlite3.DatabaseError as error:
        if isinstance(error, sqlite3.OperationalError) and not is_damage(error):
            raise
    delete(path)
    return _opened(path)


def delete(path: Path) -> None:
    """Delete the database and its logs."""
    for ending in ("", "-wal", "-shm"):
        path.with_name(path.name + ending).unlink(missing_ok=True)


def delete_unused(folder: Path, now_s: float) -> None:
    """Delete the databases in ``folder`` that no job has touched for ``UNUSED_DAYS``."""
    for path in folder.glob("*.sqlite3"):
        with contextlib.suppress(OSError):
            if now_s - path.stat().st_mtime > UNUSED_DAYS * 24 * 3600:
                delete(path)
                path.with_suffix(".lock").unlink(missing_ok=True)


def is_damage(error: sqlite3.Error) -> bool:
    """Whether an error means that the file is damaged or is not a database."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    return code in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}


def _opened(path: Path) -> sqlite3.Connection:
    # SQLite would make it readable by everybody. The log inherits its mode.
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    connection = sqlite3.connect(path, timeout=BUSY_S, isolation_level=None)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = OFF")  # what is lost is indexed again
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version != SCHEMA:
            _create(connection)
        connection.execute("SELECT * FROM files LIMIT 1").fetchone()
        connection.execute("SELECT * FROM roots LIMIT 1").fetchone()
        connection.execute("SELECT * FROM code LIMIT 1").fetchone()
        similar.windows_with(connection, "none", 1)
        connection.execute("SELECT * FROM defined LIMIT 1").fetchone()
    except BaseException:
        connection.close()
        raise
    return connection


def _create(connection: sqlite3.Connection) -> None:
    with transaction(connection):
        for table in ("files", "roots", "names", "uses", "defined", *similar.NAMES):
            connection.execute(f"DROP TABLE IF EXISTS {table}")
        for statement in _TABLES:
            connection.execute(statement)


@contextlib.contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Execute what is within in one transaction."""
    connection.execute("BEGIN IMMEDIATE")
    with connection:
        yield


class Reader:
    """Reads the index. It belongs to one thread at a time.

    Raises:
        sqlite3.Error: the database cannot be read, or does not exist yet.
    """

    def __init__(self, path: Path) -> None:
        uri = f"file:{quote(str(path))}?mode=ro"
        self._connection = sqlite3.connect(
            uri, uri=True, timeout=0.0, isolation_level=None, check_same_thread=False
        )
        try:
            (version,) = self._connection.execute("PRAGMA user_version").fetchone()
            if version != SCHEMA:
                raise sqlite3.OperationalError("the index has another schema")
        except BaseException:
            self._connection.close()
            raise

    def close(self) -> None:
        """Close the database."""
        self._connection.close()

    def version(self) -> int:
        """Return a number that changes when another process has written."""
        (version,) = self._connection.execute("PRAGMA data_version").fetchone()
        return int(version)

    def existing(self, paths: Sequence[str]) -> set[str]:
        """Return which of these files are in the index."""
        marks = ",".join("?" * len(paths))
        rows = self._connection.execute(f"SELECT path FROM files WHERE path IN ({marks})", paths)  # noqa: S608
        return {path for (path,) in rows}

    def summary(self, path: str) -> str | None:
        """Return the summary of a file as JSON; None if it is not in the index."""
        row = self._connection.execute("SELECT summary FROM files WHERE path = ?", (path,)).fetchone()
        return None if row is None else str(row[0])

    def defining(self, name: str) -> list[str]:
        """Return the files that define a name, at most ``MAX_DEFINING`` and one, in order."""
        query = "SELECT path FROM defined JOIN files ON files.rowid = defined.file WHERE name = ? LIMIT ?"
        return sorted(path for (path,) in self._connection.execute(query, (name, MAX_DEFINING + 1)))

    def in_folder(self, folder: str) -> list[str]:
        """Return the first ``MAX_IN_FOLDER`` files in a folder, without those in folders below."""
        query = (
            "SELECT path FROM files WHERE path > ? AND path < ? AND instr(substr(path, ?), '/') = 0"
            " ORDER BY path LIMIT ?"
        )
        rows = self._connection.execute(query, (f"{folder}/", f"{folder}0", len(folder) + 2, MAX_IN_FOLDER))
        return [path for (path,) in rows]

    def names(self, path: str) -> str | None:
        """Return the names in a file, as JSON; None if it is not in the index."""
        row = self._connection.execute("SELECT names FROM names WHERE path = ?", (path,)).fetchone()
        return None if row is None else str(row[0])

    def users(self, use: str, name: str, most: int) -> list[str]:
        """Return files that use the name of an attribute in a way, at most ``most``."""
        query = "SELECT path FROM uses JOIN names ON id = file WHERE use = ? AND name = ? LIMIT ?"
        return [path for (path,) in self._connection.execute(query, (use, name, most))]

    def has_folder(self, folder: str) -> bool:
        """Whether the index has a file below a folder."""
        # The character after the slash ends the range of the paths that begin with the folder.
        query = "SELECT 1 FROM files WHERE path > ? AND path < ? LIMIT 1"
        return self._connection.execute(query, (f"{folder}/", f"{folder}0")).fetchone() is not None

    def roots(self, name: str) -> list[str]:
        """Return the folders that hold a top-level module or package of this name."""
        rows = self._connection.execute("SELECT root FROM roots WHERE name = ? ORDER BY root", (name,))
        return [root for (root,) in rows]

    def windows_with(self, term: str, most: int) -> tuple[int, ...]:
        """Return the ids of the first ``most`` windows of code with a term."""
        return similar.windows_with(self._connection, term, most)

    def last_window(self) -> int:
        """Return the highest id of a window."""
        return similar.last_window(self._connection)

    def location(self, window: int) -> Location | None:
        """Return where a window is; None if it is no more."""
        return similar.location(self._connection, window)


class Writer:
    """Writes the index."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def known(self) -> dict[str, tuple[int, int]]:
        """Return the time and the size of each file when it was read, by its path."""
        rows = self._connection.execute("SELECT path, mtime_ns, size FROM files")
        return {path: (mtime_ns, size) for path, mtime_ns, size in rows}

    def put(
        self,
        files: Iterable[tuple[SourceFile, str]],
        code: Iterable[tuple[str, Sequence[Window]]] = (),
        defined: Mapping[str, Iterable[str]] | None = None,
    ) -> None:
        """Save the summaries of files, as JSON, and the windows of their ``code``, by path.

        ``defined``: what can be found in a file by its name, by path.
        """
        rows = [(file.path, file.mtime_ns, file.size, summary) for file, summary in files]
        with transaction(self._connection):
            self._forget_defined([row[0] for row in rows])
            self._connection.executemany("INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?)", rows)
            for path, windows in code:
                similar.put(self._connection, path, windows)
            for path, found in (defined or {}).items():
                self._connection.executemany(
                    "INSERT OR IGNORE INTO defined SELECT ?, rowid FROM files WHERE path = ?",
                    [(name, path) for name in found],
                )

    def put_names(self, files: Iterable[tuple[str, str, Iterable[tuple[str, str]]]]) -> None:
        """Save the names in files, as JSON, with the uses of names: how, and which."""
        with transaction(self._connection):
            for path, names, uses in files:
                self._forget_names(path)
                query = "INSERT INTO names (path, names) VALUES (?, ?)"
                file = self._connection.execute(query, (path, names)).lastrowid
                rows = ((use, name, file) for use, name in uses)
                self._connection.executemany("INSERT INTO uses VALUES (?, ?, ?)", rows)

    def _forget_names(self, path: str) -> None:
        inner = "SELECT id FROM names WHERE path = ?"
        self._connection.execute(f"DELETE FROM uses WHERE file = ({inner})", (path,))  # noqa: S608
        self._connection.execute("DELETE FROM names WHERE path = ?", (path,))

    def remove(self, paths: Sequence[str]) -> None:
        """Forget files."""
        with transaction(self._connection):
            self._forget_defined(paths)
            self._connection.executemany("DELETE FROM files WHERE path = ?", [(path,) for path in paths])
            for path in paths:
                similar.remove(self._connection, path)
                self._forget_names(path)

    def _forget_defined(self, paths: Iterable[str]) -> None:
        query = "DELETE FROM defined WHERE file = (SELECT rowid FROM files WHERE path = ?)"
        self._connection.executemany(query, [(path,) for path in paths])

    def set_roots(self, roots: Iterable[tuple[str, str]]) -> None:
        """Replace the names of top-level modules and the folders that hold them, if they differ."""
        new = set(roots)
        if new != set(self._connection.execute("SELECT name, root FROM roots")):
            with transaction(self._connection):
                self._connection.execute("DELETE FROM roots")
                self._connection.executemany("INSERT INTO roots VALUES (?, ?)", sorted(new))
