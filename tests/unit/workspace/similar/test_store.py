"""The windows in the database."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing

import pytest

from copilot_server.workspace.similar import store
from copilot_server.workspace.similar.store import Location
from copilot_server.workspace.similar.windows import windows_of

LINES = "".join(f"alpha{number}()\n" for number in range(60))


@pytest.fixture
def connection() -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(":memory:")) as connection:
        for statement in store.TABLES:
            connection.execute(statement)
        store.put(connection, "/a.py", windows_of(LINES))
        store.put(connection, "/b.js", windows_of("alpha1()\nbeta()"))
        yield connection


def locations(connection: sqlite3.Connection, term: str) -> list[Location | None]:
    return [store.location(connection, one) for one in store.windows_with(connection, term, 99)]


def is_consistent(connection: sqlite3.Connection) -> bool:
    connection.execute("INSERT INTO terms (terms) VALUES ('integrity-check')")
    return True


def test_a_term_leads_to_its_windows_in_files_of_the_family(connection: sqlite3.Connection):
    first, second = windows_of(LINES)[:2]
    assert locations(connection, "pyalpha1") == [Location("/a.py", 0, first.end)]
    number = second.first + 1
    assert locations(connection, f"pyalpha{number}") == [Location("/a.py", second.first, second.end)]
    assert locations(connection, "jsalpha1") == [Location("/b.js", 0, 2)]
    assert locations(connection, "pybeta") == []
    assert len(store.windows_with(connection, "pyalpha", 2)) == 2


def test_a_changed_file_has_only_its_new_terms(connection: sqlite3.Connection):
    store.put(connection, "/a.py", windows_of("gamma()"))
    assert store.windows_with(connection, "pyalpha", 99) == ()
    assert locations(connection, "pygamma") == [Location("/a.py", 0, 1)]
    assert locations(connection, "jsbeta") == [Location("/b.js", 0, 2)]
    assert is_consistent(connection)


def test_a_removed_file_leaves_nothing(connection: sqlite3.Connection):
    store.remove(connection, "/a.py")
    store.remove(connection, "/none.py")
    assert store.windows_with(connection, "pyalpha", 99) == ()
    store.put(connection, "/b.js", ())
    assert connection.execute("SELECT count(*) FROM code").fetchone() == (0,)
    assert is_consistent(connection)


def test_files_in_no_known_language_are_left_out(connection: sqlite3.Connection):
    store.put(connection, "/c.txt", windows_of("delta()"))
    assert connection.execute("SELECT count(*) FROM code").fetchone() == (2,)


def test_windows_that_are_no_more_are_nowhere(connection: sqlite3.Connection):
    last = store.windows_with(connection, "jsbeta", 1)[0]
    assert store.location(connection, last + 1) is None
    assert store.location(connection, 0) is None
    assert store.last_window(connection) == last
