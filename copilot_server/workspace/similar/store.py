"""The windows of all files in the index on disk, by their terms.

``terms`` is a full-text index (SQLite's FTS5) without the texts: where each term is, and no more. A row is a
window, and those of a file have consecutive ids. ``code`` says which, and keeps the terms of each window,
without which they could not be removed.
"""

from __future__ import annotations

import sqlite3
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

from copilot_server.workspace.similar.families import family_of
from copilot_server.workspace.similar.windows import Window

TABLES = (
    "CREATE TABLE code (first INTEGER PRIMARY KEY, path TEXT NOT NULL UNIQUE, ends TEXT NOT NULL,"
    " bodies BLOB NOT NULL)",
    "CREATE VIRTUAL TABLE terms USING fts5(body, content='', detail=none, columnsize=0)",
)
NAMES = ("code", "terms")


@dataclass(frozen=True, slots=True)
class Location:
    """The lines of a file from ``first`` up to ``end``, exclusive, when it was indexed."""

    path: str
    first: int
    end: int


def put(connection: sqlite3.Connection, path: str, windows: Sequence[Window]) -> None:
    """Replace the windows of a file, within a transaction."""
    remove(connection, path)
    family = family_of(path)
    if family is None or not windows:
        return
    bodies = [_body(family.code, sorted(one.terms)) for one in windows]
    (start,) = connection.execute("SELECT coalesce(max(first), 0) FROM code").fetchone()
    start = max(1, start + _count(connection, start))
    ends = " ".join(str(one.end) for one in windows)
    blob = zlib.compress("\n".join(bodies).encode())
    connection.execute("INSERT INTO code VALUES (?, ?, ?, ?)", (start, path, ends, blob))
    connection.executemany("INSERT INTO terms (rowid, body) VALUES (?, ?)", enumerate(bodies, start))


def _body(code: str, terms: Sequence[str]) -> str:
    """Return terms as the index has them, each with the code of its family before it."""
    return code + f" {code}".join(terms) if terms else ""


def remove(connection: sqlite3.Connection, path: str) -> None:
    """Forget the windows of a file, within a transaction."""
    row = connection.execute("SELECT first, bodies FROM code WHERE path = ?", (path,)).fetchone()
    if row is None:
        return
    first, blob = row
    bodies = zlib.decompress(blob).decode().split("\n")
    forget = "INSERT INTO terms (terms, rowid, body) VALUES ('delete', ?, ?)"
    connection.executemany(forget, enumerate(bodies, first))
    connection.execute("DELETE FROM code WHERE first = ?", (first,))


def _count(connection: sqlite3.Connection, first: int) -> int:
    row = connection.execute("SELECT ends FROM code WHERE first = ?", (first,)).fetchone()
    return 0 if row is None else len(row[0].split())


def windows_with(connection: sqlite3.Connection, term: str, most: int) -> tuple[int, ...]:
    """Return the ids of the first ``most`` windows with a term, which the code of its family begins."""
    query = "SELECT rowid FROM terms WHERE terms MATCH ? LIMIT ?"
    return tuple(window for (window,) in connection.execute(query, (f'"{term}"', most)))


def last_window(connection: sqlite3.Connection) -> int:
    """Return the highest id of a window: about how many there are."""
    (first,) = connection.execute("SELECT coalesce(max(first), 0) FROM code").fetchone()
    return int(first)


def location(connection: sqlite3.Connection, window: int) -> Location | None:
    """Return where a window is; None if it is no more."""
    query = "SELECT first, path, ends FROM code WHERE first <= ? ORDER BY first DESC LIMIT 1"
    row = connection.execute(query, (window,)).fetchone()
    if row is None:
        return None
    first, path, ends = row[0], row[1], [int(end) for end in row[2].split()]
    at = window - first
    return Location(path, ends[at - 1] if at else 0, ends[at]) if at < len(ends) else None
