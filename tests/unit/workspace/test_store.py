"""The database of an index, written and read at the same time."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from copilot_server.workspace.files import SourceFile
from copilot_server.workspace.store import Reader, Writer, database_of, open_for_writing

ONE, TWO = SourceFile("/w/a/one.py", 1, 10), SourceFile("/w/b.py", 2, 20)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "index.sqlite3"


@pytest.fixture
def writer(path: Path) -> Iterator[Writer]:
    with closing(open_for_writing(path)) as connection:
        writer = Writer(connection)
        writer.put([(ONE, "one"), (TWO, "two")])
        yield writer


@pytest.fixture
def reader(path: Path, writer: Writer) -> Iterator[Reader]:
    del writer  # it creates the database
    with closing(Reader(path)) as reader:
        yield reader


def test_what_was_written_is_read(reader: Reader):
    assert reader.summary(ONE.path) == "one"
    assert reader.summary("/w/none.py") is None
    assert reader.existing([ONE.path, "/w/none.py"]) == {ONE.path}


@pytest.mark.parametrize(("folder", "known"), [("/w", True), ("/w/a", True), ("/w/b", False), ("/", False)])
def test_folders_with_files(reader: Reader, folder: str, known: bool):
    assert reader.has_folder(folder) is known


def test_a_reader_sees_changes_and_that_there_are_some(reader: Reader, writer: Writer):
    before = reader.version()
    assert reader.version() == before
    writer.put([(SourceFile(ONE.path, 3, 30), "new")])
    writer.remove([TWO.path])
    assert reader.version() != before
    assert (reader.summary(ONE.path), reader.summary(TWO.path)) == ("new", None)
    assert writer.known() == {ONE.path: (3, 30)}


def test_roots_are_replaced_and_written_only_if_they_differ(reader: Reader, writer: Writer):
    writer.set_roots([("a", "/w"), ("a", "/w/src")])
    assert reader.roots("a") == ["/w", "/w/src"]
    before = reader.version()
    writer.set_roots([("a", "/w/src"), ("a", "/w")])
    assert reader.version() == before
    writer.set_roots([("b", "/w")])
    assert (reader.roots("a"), reader.roots("b")) == ([], ["/w"])


def test_a_reader_cannot_write_nor_create(reader: Reader, tmp_path: Path):
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        reader._connection.execute("DELETE FROM files")
    with pytest.raises(sqlite3.OperationalError):
        Reader(tmp_path / "none.sqlite3")
    assert not (tmp_path / "none.sqlite3").exists()


@pytest.mark.parametrize("content", [b"", b"damage" * 1000, b"SQLite format 3\0" + b"\0" * 5000])
def test_a_damaged_database_is_rebuilt(path: Path, content: bytes):
    path.parent.mkdir()
    path.write_bytes(content)
    with closing(open_for_writing(path)) as connection:
        assert Writer(connection).known() == {}


def test_a_database_of_another_version_is_rebuilt_and_not_read(path: Path, writer: Writer):
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 99")
    with pytest.raises(sqlite3.OperationalError):
        Reader(path)
    with closing(open_for_writing(path)) as connection:
        assert Writer(connection).known() == {}


def test_each_workspace_has_its_own_database():
    def name(*folders: str, patterns: tuple[str, ...] = ()) -> str:
        return database_of(Path("/c"), folders, patterns).name

    assert name("/a", "/b") == name("/b", "/a")
    assert len({name("/a"), name("/b"), name("/a", "/b"), name("/a", patterns=("/b",))}) == 4


def test_names_and_their_uses_are_replaced_and_removed(reader: Reader, writer: Writer):
    writer.put_names([(ONE.path, "[1]", [("member", "a")]), (TWO.path, "[2]", [("member", "a")])])
    assert reader.names(ONE.path) == "[1]"
    assert reader.users("member", "a", 9) == [ONE.path, TWO.path]
    assert reader.users("member", "a", 1) == [ONE.path]
    assert reader.users("base", "a", 9) == []
    writer.put_names([(ONE.path, "[3]", [("base", "b")])])
    assert (reader.names(ONE.path), reader.users("member", "a", 9)) == ("[3]", [TWO.path])
    writer.remove([ONE.path, TWO.path])
    assert (reader.names(ONE.path), reader.names(TWO.path)) == (None, None)
    assert (reader.users("member", "a", 9), reader.users("base", "b", 9)) == ([], [])
