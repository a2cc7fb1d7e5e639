"""The database: real files, real processes, and what can go wrong with both."""

from __future__ import annotations

import logging
import os
import sqlite3
import stat
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import astuple, fields, replace
from pathlib import Path

import pytest

from copilot_server.errors import StatisticsError
from copilot_server.statistics import names, schema
from copilot_server.statistics import store as stores
from copilot_server.statistics.store import Store
from copilot_server.statistics.types import Suggestion
from tests.support.statistics_editor import Editor
from tests.support.statistics_rows import NOW_S, ROW, write

#: A row as the first version of the schema has it.
FIRST_VERSION = (
    *(5, NOW_S, "Neovim", "python", "qwen2.5-coder-0.5b", "model", "automatic", 160.0, 20, 1, -0.25),
    *(False, False, 0, 0, True, False),
)
WRITER = (sys.executable, "-m", "tests.support.statistics_rows")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "home" / "statistics" / "suggestions.sqlite3"


def rows(path: Path) -> list[tuple[object, ...]]:
    """The rows, as ``astuple`` has them."""
    # Without the table's name SQLite would take an unknown column for a string.
    names = ", ".join(f'suggestions."{field.name}"' for field in fields(Suggestion))
    with closing(schema.open_for_reading(path)) as connection:
        return [tuple(row) for row in connection.execute(f"SELECT {names} FROM suggestions ORDER BY id")]


def ids(path: Path) -> list[object]:
    return [row[0] for row in rows(path)]


def check(path: Path) -> str:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute("PRAGMA integrity_check").fetchone()[0]


class TestKeeping:
    def test_a_row_comes_back_as_it_was(self, path: Path):
        row = replace(ROW, id=7, shown=True, accepted_characters=5, kept_30_s=True, kept_300_s=False)
        assert write(path, row).failure is None
        assert rows(path) == [astuple(row)]

    def test_an_update_changes_what_became_of_it(self, path: Path):
        store = Store(path)
        store.add(ROW)
        store.update(replace(ROW, shown=True, accepted=True, accepted_characters=20))
        assert store.close(60)
        assert rows(path) == [astuple(replace(ROW, shown=True, accepted=True, accepted_characters=20))]

    def test_an_update_of_a_row_that_was_deleted_does_not_bring_it_back(self, path: Path):
        store = Store(path)
        store.update(ROW)
        store.add(replace(ROW, id=1))
        assert store.close(60)
        assert ids(path) == [1]

    def test_without_a_row_there_is_no_file_and_no_thread(self, path: Path):
        threads = threading.active_count()
        store = Store(path)
        assert threading.active_count() == threads
        assert store.close(60)
        assert not path.parent.exists()
        write(path, ROW)
        assert path.exists()

    def test_after_the_end_nothing_is_taken(self, path: Path):
        store = write(path, ROW)
        store.add(replace(ROW, id=1))
        assert ids(path) == [0]

    def test_only_the_user_may_read_it(self, path: Path):
        path.parent.mkdir(parents=True)
        path.touch(0o644)
        before = os.umask(0)
        try:
            store = Store(path, flush_s=0.0)
            store.add(ROW)
            with closing(schema.open_for_writing(path)) as other:
                other.execute("SELECT count(*) FROM suggestions").fetchone()
                files = [*path.parent.iterdir()]
                assert {file.name.removeprefix(path.name) for file in files} >= {"", "-wal", "-shm"}
                assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
            assert store.close(60)
        finally:
            os.umask(before)

    def test_what_waits_to_be_written_is_bounded(
        self, path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ):
        monkeypatch.setattr(stores, "MAX_QUEUED", 50)
        with closing(schema.open_for_writing(path)) as other:
            other.execute("BEGIN IMMEDIATE")
            store = Store(path, flush_s=0.0)
            for number in range(500):
                store.add(replace(ROW, id=number))
            other.execute("COMMIT")
        assert store.close(60)
        assert 50 <= len(ids(path)) < 500
        assert caplog.text.count("is too slow for the statistics") == 1

    def test_what_is_old_and_what_is_too_much_goes(self, path: Path, monkeypatch: pytest.MonkeyPatch):
        day_s = 24 * 3600
        monkeypatch.setattr(stores, "MAX_ROWS", 3)
        ages = [0, 1, stores.RETENTION_DAYS - 1, stores.RETENTION_DAYS + 1]
        write(path, *(replace(ROW, id=n, offered_at_s=NOW_S - age * day_s) for n, age in enumerate(ages)))
        assert ids(path) == [0, 1, 2]
        write(path, replace(ROW, id=9))
        assert ids(path) == [0, 1, 9]


class TestReaders:
    def test_a_reader_does_not_stop_a_writer(self, path: Path):
        write(path, ROW)
        with closing(schema.open_for_reading(path)) as reader:
            reader.execute("BEGIN")
            assert reader.execute("SELECT count(*) FROM suggestions").fetchone()[0] == 1
            assert write(path, replace(ROW, id=1)).failure is None
            assert reader.execute("SELECT count(*) FROM suggestions").fetchone()[0] == 1
            reader.execute("COMMIT")
            assert reader.execute("SELECT count(*) FROM suggestions").fetchone()[0] == 2


def assert_off(store: Store, caplog: pytest.LogCaptureFixture, *words: str) -> None:
    """The store has given up, has said so once, and takes everything it is given."""
    store.add(ROW)
    assert store.failure is not None
    warnings = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert len(warnings) == 1
    for word in words:
        assert word in warnings[0].getMessage()


class TestFailures:
    def test_a_file_where_the_folder_should_be(self, path: Path, caplog: pytest.LogCaptureFixture):
        path.parent.parent.mkdir()
        path.parent.touch()
        assert_off(write(path, ROW), caplog, "cannot be written")

    def test_one_that_somebody_holds(
        self, path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setattr(schema, "BUSY_S", 0.1)
        write(path, ROW)
        with closing(sqlite3.connect(path)) as other:
            other.execute("BEGIN IMMEDIATE")
            assert_off(write(path, replace(ROW, id=1)), caplog, "locked")
            other.rollback()
        assert write(path, replace(ROW, id=2)).failure is None
        assert ids(path) == [0, 2]

    def test_one_of_a_newer_version(self, path: Path, caplog: pytest.LogCaptureFixture):
        write(path, ROW)
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("PRAGMA user_version = 99")
        before = path.read_bytes()
        assert_off(write(path, replace(ROW, id=1)), caplog, "newer copilot-server", "--forget")
        assert path.read_bytes() == before

    def test_one_of_another_program(self, path: Path, caplog: pytest.LogCaptureFixture):
        path.parent.mkdir(parents=True)
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("CREATE TABLE theirs (x)")
        assert_off(write(path, ROW), caplog, "the database of another program")

    def test_an_older_version_is_brought_up_to_date(self, path: Path, monkeypatch: pytest.MonkeyPatch):
        write(path, ROW)
        more = ("ALTER TABLE suggestions ADD COLUMN colour TEXT DEFAULT 'red'",)
        monkeypatch.setattr(schema, "MIGRATIONS", (*schema.MIGRATIONS, more))
        with closing(schema.open_for_reading(path)) as connection:
            assert tuple(connection.execute("SELECT id, colour FROM suggestions").fetchone()) == (0, "red")
            assert connection.execute("PRAGMA user_version").fetchone()[0] == len(schema.MIGRATIONS)
        # A row is also added to a table with a column that this version does not know.
        assert write(path, replace(ROW, id=1)).failure is None
        assert ids(path) == [0, 1]

    def test_the_rows_of_the_first_version_stay_and_their_eagerness_is_unknown(
        self, path: Path, monkeypatch: pytest.MonkeyPatch
    ):
        with monkeypatch.context() as patch:
            patch.setattr(schema, "MIGRATIONS", schema.MIGRATIONS[:1])
            with closing(schema.open_for_writing(path)) as connection:
                connection.execute(f"INSERT INTO suggestions VALUES ({', '.join('?' * 17)})", FIRST_VERSION)
            # The twin: that version has no such column.
            with pytest.raises(sqlite3.OperationalError, match="eagerness"):
                rows(path)
        assert rows(path) == [astuple(replace(ROW, id=5, eagerness="", kept_30_s=True, kept_300_s=False))]
        assert write(path, ROW).failure is None
        assert rows(path)[0] == astuple(ROW)

    def test_a_migration_that_fails_changes_nothing(self, path: Path, monkeypatch: pytest.MonkeyPatch):
        write(path, ROW)
        before = rows(path)
        with monkeypatch.context() as patch:
            more = ("ALTER TABLE suggestions ADD COLUMN colour TEXT", "ALTER TABLE nothing ADD COLUMN x")
            patch.setattr(schema, "MIGRATIONS", (*schema.MIGRATIONS, more))
            with pytest.raises(sqlite3.OperationalError, match="nothing"):
                schema.open_for_writing(path)
        assert rows(path) == before


class TestDamage:
    @pytest.fixture
    def damaged(self, path: Path) -> Iterator[Path]:
        path.parent.mkdir(parents=True)
        path.write_bytes(b"this is no database" * 1000)
        return path

    def test_a_damaged_file_is_set_aside_and_not_deleted(self, damaged: Path):
        before = damaged.read_bytes()
        assert write(damaged, ROW).failure is None
        assert ids(damaged) == [0]
        (aside,) = damaged.parent.glob("*.damaged-*")
        assert aside.read_bytes() == before

    def test_damage_met_while_writing_loses_no_row(self, path: Path, caplog: pytest.LogCaptureFixture):
        write(path, *(replace(ROW, id=n) for n in range(1000)))
        content = bytearray(path.read_bytes())
        content[4096:] = bytes(len(content) - 4096)
        path.write_bytes(content)
        assert write(path, replace(ROW, id=5000)).failure is None
        assert ids(path) == [5000]
        assert "is damaged: it is set aside" in caplog.text
        (aside,) = path.parent.glob("*.damaged-*[0-9]Z")
        assert aside.stat().st_size >= len(content)

    def test_what_another_process_has_begun_anew_is_not_set_aside_again(self, path: Path):
        write(path, ROW)
        opened = path.stat()
        schema.set_aside(path)
        write(path, replace(ROW, id=1))
        schema.reopen_damaged(path, opened).close()
        assert ids(path) == [1]
        schema.reopen_damaged(path, path.stat()).close()
        assert ids(path) == []


class TestForgetting:
    def test_nothing_is_left_of_it_in_the_files(self, path: Path):
        write(path, *(replace(ROW, id=n, language="forgettable") for n in range(200)))
        assert b"forgettable" in path.read_bytes()
        with closing(schema.open_for_writing(path)) as running:
            running.execute("SELECT count(*) FROM suggestions").fetchone()
            schema.forget(path)
            assert ids(path) == []
            left = b"".join(file.read_bytes() for file in path.parent.iterdir())
        assert b"forgettable" not in left
        assert b"CREATE TABLE" in left

    def test_a_server_that_runs_goes_on(self, path: Path):
        store = Store(path, flush_s=0.0)
        store.add(ROW)
        write(path, replace(ROW, id=1))
        schema.forget(path)
        store.add(replace(ROW, id=2))
        assert store.close(60)
        assert store.failure is None
        assert ids(path)[-1] == 2

    def test_what_was_set_aside_goes_too(self, path: Path):
        write(path, ROW)
        schema.set_aside(path)
        write(path, ROW)
        assert list(path.parent.glob("*.damaged-*"))
        schema.forget(path)
        assert not list(path.parent.glob("*.damaged-*"))

    def test_of_a_damaged_or_newer_one_the_files_go(self, path: Path):
        write(path, ROW)
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("PRAGMA user_version = 99")
        schema.forget(path)
        assert not path.exists()
        path.write_bytes(b"this is no database" * 1000)
        schema.forget(path)
        assert not path.exists()

    def test_a_file_of_another_program_stays(self, path: Path):
        path.parent.mkdir(parents=True)
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("CREATE TABLE theirs (x)")
        with pytest.raises(StatisticsError, match="the database of another program"):
            schema.forget(path)
        assert path.exists()


def test_no_source_is_ever_on_the_disk(path: Path):
    """Neither the document nor the suggestion nor the name of the file, in any file, at any moment."""
    secrets = {"document": "SECRETDOC", "suggestion": "SECRETSUGGESTION", "name": "SECRETNAME"}
    editor = Editor(f"# {secrets['document']}\nx = ", uri=f"file:///home/me/{secrets['name']}.py")
    store = Store(path, flush_s=0.0)
    editor.tracker._sink = store
    suggestion = f"{secrets['suggestion']}(1)\n    # and a second line"
    for _ in range(3):
        (item,) = editor.offer(suggestion, model=f"/home/me/{secrets['name']}.gguf")
        editor.insert(suggestion)
        editor.tracker.accepted(item)
        editor.wait(400)
    with closing(schema.open_for_writing(path)) as other:
        other.execute("SELECT count(*) FROM suggestions").fetchone()  # so that the log is still there
        assert store.close(60)
        files = {file.name: file.read_bytes() for file in path.parent.iterdir()}
    assert f"{path.name}-wal" in files
    assert len(rows(path)) == 3
    for content in files.values():
        assert not any(secret.encode() in content for secret in secrets.values())
    # The twin: were one of them in a row, it would be found.
    write(path, replace(ROW, language=secrets["document"]))
    assert secrets["document"].encode() in path.read_bytes()


class TestNames:
    def test_the_name_of_a_model_of_ones_own_is_not_in_the_files(self, path: Path):
        """A name on a hub is one, too: a private repository's, or a folder's that looks like it."""
        own = ["secret-org/secret-model", "/home/me/secret", "secret.gguf"]
        write(path, *(replace(ROW, id=number, model=name) for number, name in enumerate(own)))
        names = {row[4] for row in rows(path)}
        assert len(names) == 3
        assert all(str(name).startswith("local-") for name in names)
        assert not any(b"secret" in file.read_bytes() for file in path.parent.iterdir())

    def test_a_model_of_the_catalogue_keeps_its_name(self, path: Path):
        write(path, ROW)
        assert rows(path)[0][4] == "qwen2.5-coder-0.5b"

    def test_a_model_has_the_same_name_after_a_restart(self, path: Path):
        for number in range(2):
            write(path, replace(ROW, id=number, model="org/own"))
        assert len({row[4] for row in rows(path)}) == 1

    def test_only_the_user_may_read_the_key(self, path: Path):
        write(path, ROW)
        assert stat.S_IMODE(names.key_path(path).stat().st_mode) == 0o600

    def test_forgetting_forgets_the_key(self, path: Path):
        write(path, ROW)
        schema.forget(path)
        assert not names.key_path(path).exists()
        write(path, replace(ROW, model="org/own"))
        assert len(rows(path)) == 1

    @pytest.mark.parametrize("model", ["secret-org/secret-model", "/home/me/secret"])
    def test_rows_of_earlier_versions_get_the_name_that_the_model_has_now(self, path: Path, model: str):
        write(path, replace(ROW, id=1), replace(ROW, id=2))
        with closing(sqlite3.connect(path)) as connection, connection:
            old = names.earlier_name(model)
            connection.execute("UPDATE suggestions SET model = ? WHERE id = 1", (old,))
        write(path, replace(ROW, id=3, model=model))
        first, other, last = (row[4] for row in rows(path))
        assert first == last != old
        assert other == ROW.model
