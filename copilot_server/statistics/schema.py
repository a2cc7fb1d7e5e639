"""The database of the statistics: its path, its schema, and how it is opened."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import quote

import filelock
import platformdirs

from copilot_server.errors import NewerDatabaseError, StatisticsError
from copilot_server.fetch.store import HOME_VARIABLE
from copilot_server.statistics.names import key_path, make_key

#: "CPst" distinguishes our files from other SQLite files.
APPLICATION_ID = 0x43507374

#: In one statement, since another process may create the file between two.
_STATE = """
    SELECT application_id, user_version, (SELECT count(*) FROM sqlite_master)
    FROM pragma_application_id, pragma_user_version
"""

#: How long a process waits for another one that is writing to the database or opening it.
BUSY_S = 10.0

#: The statements that lead to each version of the schema from the one before. ``PRAGMA user_version`` counts
#: how many have been applied.
MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        """
        CREATE TABLE suggestions (
            id INTEGER PRIMARY KEY,
            offered_at_s INTEGER NOT NULL,
            editor TEXT NOT NULL,
            language TEXT NOT NULL,
            model TEXT NOT NULL,
            source TEXT NOT NULL,
            "trigger" TEXT NOT NULL,
            latency_ms REAL NOT NULL,
            characters INTEGER NOT NULL,
            lines INTEGER NOT NULL,
            mean_logprob REAL,
            shown INTEGER NOT NULL,
            accepted INTEGER NOT NULL,
            accepted_characters INTEGER NOT NULL,
            typed_characters INTEGER NOT NULL,
            kept_30_s INTEGER,
            kept_300_s INTEGER
        )
        """,
        "CREATE INDEX suggestions_by_time ON suggestions (offered_at_s)",
    ),
    ("ALTER TABLE suggestions ADD COLUMN eagerness TEXT NOT NULL DEFAULT ''",),
)


def database_path() -> Path:
    """Return the path of the database: in COPILOT_SERVER_HOME, or else in the user's state folder.

    It is not in the cache folder, where models are, since it cannot be fetched again.
    """
    chosen = os.environ.get(HOME_VARIABLE)
    folder = Path(chosen).expanduser() if chosen else platformdirs.user_state_path("copilot-server")
    return folder / "statistics" / "suggestions.sqlite3"


def open_for_writing(path: Path) -> sqlite3.Connection:
    """Open the database. It is created or migrated if necessary, and a damaged one is set aside.

    Several processes may do this at once.

    Raises:
        StatisticsError: it belongs to another program, or to a newer version of this one.
        sqlite3.Error, OSError: it cannot be opened.
    """
    with _locked(path):
        try:
            return _opened(path)
        except sqlite3.DatabaseError as error:
            if not is_damage(error):
                raise
        set_aside(path)
        return _opened(path)


def open_key(path: Path) -> bytes:
    """Return the key of the names in the database, which is created if there is none.

    Raises:
        OSError: it cannot be read or written.
    """
    with _locked(path):
        return make_key(path)


def reopen_damaged(path: Path, opened: os.stat_result) -> sqlite3.Connection:
    """Open the database again after damage was found in the file that ``opened`` describes.

    If another process has set that file aside in the meantime, the new file is left alone.
    """
    with _locked(path):
        if path.exists() and os.path.samestat(path.stat(), opened):
            set_aside(path)
        return _opened(path)


def open_for_reading(path: Path) -> sqlite3.Connection:
    """Open the database for reading, without blocking processes that write to it.

    Raises:
        StatisticsError: it belongs to another program, or to a newer version of this one.
        sqlite3.Error, OSError: it cannot be opened.
    """
    connection = _connected(f"file:{quote(str(path))}?mode=ro")
    try:
        outdated = _version(connection, path) < len(MIGRATIONS)
    except BaseException:
        connection.close()
        raise
    if outdated:
        connection.close()
        return open_for_writing(path)
    return connection


def forget(path: Path) -> None:
    """Delete all statistics, and the files that were set aside. Running servers start again from zero.

    Raises:
        StatisticsError: the file belongs to another program.
        sqlite3.Error, OSError: it cannot be opened, or another process has locked it.
    """
    for aside in path.parent.glob(f"{path.name}.damaged-*"):
        aside.unlink()
    with _locked(path):
        key_path(path).unlink(missing_ok=True)
        try:
            _delete_all(path)
        except (sqlite3.DatabaseError, NewerDatabaseError) as error:
            if isinstance(error, sqlite3.DatabaseError) and not is_damage(error):
                raise
            for file in _files(path):
                file.unlink(missing_ok=True)


def _delete_all(path: Path) -> None:
    with closing(_opened(path)) as connection:
        connection.execute("PRAGMA secure_delete = ON")
        connection.execute("DELETE FROM suggestions")
        connection.execute("VACUUM")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def is_damage(error: sqlite3.Error) -> bool:
    """Whether an error means that the file is damaged or is not a database."""
    # The low byte is the primary result code; the rest distinguishes kinds of one error.
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}


def set_aside(path: Path) -> None:
    """Rename a damaged database, so that somebody can still repair it."""
    suffix = f".damaged-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}"
    for file in _files(path):
        if file.exists():
            # SQLite finds the log of a database by the name of the database.
            file.replace(path.with_name(path.name + suffix + file.name.removeprefix(path.name)))


def _files(path: Path) -> list[Path]:
    return [path.with_name(path.name + ending) for ending in ("", "-wal", "-shm")]


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with filelock.FileLock(path.with_name(".lock"), timeout=BUSY_S, mode=0o600):
        yield


def _opened(path: Path) -> sqlite3.Connection:
    # It is created here since SQLite would make it readable by everybody. The log inherits its mode.
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    path.chmod(0o600)
    connection = _connected(f"file:{quote(str(path))}?mode=rw")
    try:
        _bring_up_to_date(connection, path)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
    except BaseException:
        connection.close()
        raise
    return connection


def _connected(uri: str) -> sqlite3.Connection:
    # Without an isolation level the library begins no transactions; the statements here do.
    connection = sqlite3.connect(uri, uri=True, timeout=BUSY_S, isolation_level=None)
    connection.row_factory = sqlite3.Row
    return connection


def _bring_up_to_date(connection: sqlite3.Connection, path: Path) -> None:
    if _version(connection, path) == len(MIGRATIONS):
        return
    connection.execute("BEGIN IMMEDIATE")
    with connection:
        for statements in MIGRATIONS[_version(connection, path) :]:
            for statement in statements:
                connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")


def _version(connection: sqlite3.Connection, path: Path) -> int:
    """Return the version of the schema, which is 0 in an empty database."""
    application, version, tables = connection.execute(_STATE).fetchone()
    if tables and application != APPLICATION_ID:
        raise StatisticsError(
            f"{path} is the database of another program.", remedy="Move it away, and a new one is created."
        )
    if version > len(MIGRATIONS):
        raise NewerDatabaseError(
            f"{path} was written by a newer copilot-server.",
            remedy="Update this one, or start from zero with `copilot-server stats --forget`.",
        )
    return int(version)
