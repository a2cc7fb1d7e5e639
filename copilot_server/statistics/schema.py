"""The file the statistics are kept in: where it lies, what is in it, and how it is opened."""

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

#: "CPst" distinguishes our files from other SQLite files.
APPLICATION_ID = 0x43507374

#: In one statement, for another process may make the file between two.
_STATE = """
    SELECT application_id, user_version, (SELECT count(*) FROM sqlite_master)
    FROM pragma_application_id, pragma_user_version
"""

#: How long a write waits for another server's, and an opening for another's.
BUSY_S = 10.0

#: What makes each version of the schema of the one before; ``PRAGMA user_version`` counts those applied.
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
)


def database_path() -> Path:
    """Return where the statistics are kept: in COPILOT_SERVER_HOME, else in the user's state folder.

    Not in the cache folder, where models are: what is there can be fetched again.
    """
    chosen = os.environ.get(HOME_VARIABLE)
    folder = Path(chosen).expanduser() if chosen else platformdirs.user_state_path("copilot-server")
    return folder / "statistics" / "suggestions.sqlite3"


def open_for_writing(path: Path) -> sqlite3.Connection:
    """Open the database, made or brought up to date if need be; a damaged one is set aside for a new one.

    Several processes may do so at once.

    Raises:
        StatisticsError: it is not ours, or of a newer version.
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


def reopen_damaged(path: Path, opened: os.stat_result) -> sqlite3.Connection:
    """Open the database again after damage was found in the file that ``opened`` describes.

    Another process may have set it aside meanwhile: then its successor must not suffer the same.
    """
    with _locked(path):
        if path.exists() and os.path.samestat(path.stat(), opened):
            set_aside(path)
        return _opened(path)


def open_for_reading(path: Path) -> sqlite3.Connection:
    """Open the database to read it; whoever writes meanwhile is not kept from it.

    Raises:
        StatisticsError: it is not ours, or of a newer version.
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
    """Delete all that is kept, and what was set aside. Servers that run go on, and count anew.

    Raises:
        StatisticsError: the file is not ours.
        sqlite3.Error, OSError: it cannot be opened, or somebody holds it.
    """
    for aside in path.parent.glob(f"{path.name}.damaged-*"):
        aside.unlink()
    with _locked(path):
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
    """Whether an error says that the file is no sound database."""
    # The low byte; the rest distinguishes kinds of one error.
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}


def set_aside(path: Path) -> None:
    """Keep a damaged database under another name: somebody may want to mend it."""
    suffix = f".damaged-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}"
    for file in _files(path):
        if file.exists():
            # SQLite finds the log of a database by its name.
            file.replace(path.with_name(path.name + suffix + file.name.removeprefix(path.name)))


def _files(path: Path) -> list[Path]:
    return [path.with_name(path.name + ending) for ending in ("", "-wal", "-shm")]


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with filelock.FileLock(path.with_name(".lock"), timeout=BUSY_S, mode=0o600):
        yield


def _opened(path: Path) -> sqlite3.Connection:
    # Made here, for SQLite would make it readable to all; its log takes over the mode.
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
    # Without an isolation level transactions are begun and ended by name, and not by the library.
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
    """Return the schema's version; 0 of an empty database."""
    application, version, tables = connection.execute(_STATE).fetchone()
    if tables and application != APPLICATION_ID:
        raise StatisticsError(
            f"{path} is a database of some other program.", remedy="Move it away, and a new one is made."
        )
    if version > len(MIGRATIONS):
        raise NewerDatabaseError(
            f"{path} was written by a newer copilot-server.",
            remedy="Update this one, or start anew with `copilot-server stats --forget`.",
        )
    return int(version)
