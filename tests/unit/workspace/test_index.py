"""What is known of files: from the database, from open documents, and nothing of hidden files."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from copilot_server.workspace.files import SourceFile
from copilot_server.workspace.index import Index
from copilot_server.workspace.languages import read_names, summarize
from copilot_server.workspace.overlay import Overlay
from copilot_server.workspace.similar.store import Location
from copilot_server.workspace.similar.windows import windows_of
from copilot_server.workspace.store import Writer, open_for_writing

PATH = "/w/pkg/a.py"


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "index.sqlite3"


@pytest.fixture
def writer(database: Path) -> Iterator[Writer]:
    with closing(open_for_writing(database)) as connection:
        writer = Writer(connection)
        put(writer, "x = 1")
        writer.set_roots([("pkg", "/w")])
        yield writer


@pytest.fixture
def overlay() -> Overlay:
    return Overlay()


@pytest.fixture
def index(database: Path, overlay: Overlay) -> Iterator[Index]:
    index = Index(database, ["/w"], overlay)
    yield index
    index.close()


def put(writer: Writer, text: str, path: str = PATH) -> None:
    writer.put([(SourceFile(path, 1, 1), summarize(path, text).to_json())])


def put_names(writer: Writer, text: str, path: str = PATH) -> None:
    found = read_names(path, text)
    writer.put_names([(path, found.to_json(), found.uses())])


def names(index: Index) -> list[str] | None:
    index.version()
    summary = index.summary(PATH)
    return None if summary is None else [one.name for one in summary.definitions]


def test_without_a_database_nothing_is_known(index: Index):
    assert names(index) is None
    assert (index.existing((PATH,)), index.roots("pkg"), index.has_folder("/w")) == (frozenset(), (), False)


def test_the_database_is_read_as_soon_as_it_is_there_and_as_it_changes(index: Index, database: Path):
    assert names(index) is None
    with closing(open_for_writing(database)) as connection:
        put(Writer(connection), "x = 1")
        assert names(index) == ["x"]
        put(Writer(connection), "y = 1")
        assert names(index) == ["y"]


def test_answers_are_remembered_until_the_version_changes(index: Index, writer: Writer):
    assert names(index) == ["x"]
    assert index.existing((PATH, "/w/b.py")) == {PATH}
    assert (index.roots("pkg"), index.has_folder("/w/pkg")) == (("/w",), True)
    version = index.version()
    assert index.summary(PATH) is index.summary(PATH)
    writer.remove([PATH])
    assert index.summary(PATH) is not None
    assert index.version() != version
    assert index.summary(PATH) is None


def test_an_open_document_wins_and_a_file_that_is_not_indexed_stays_unknown(
    index: Index, writer: Writer, overlay: Overlay
):
    del writer
    overlay.set(PATH, "y = 1", read=True)
    overlay.set("/w/other.py", "z = 1", read=True)
    assert names(index) is None
    overlay.catch_up()
    assert names(index) == ["y"]
    assert index.summary("/w/other.py") is None
    overlay.remove(PATH)
    assert names(index) == ["x"]


def test_hidden_files_are_unknown(index: Index, writer: Writer, overlay: Overlay):
    del writer
    index.hide(frozenset({PATH}))
    assert names(index) is None
    assert index.existing((PATH,)) == frozenset()
    overlay.set(PATH, "y = 1", read=True)
    overlay.catch_up()
    assert names(index) is None
    index.hide(frozenset())
    assert names(index) == ["y"]


def test_a_damaged_database_has_no_answers_until_it_is_rebuilt(index: Index, writer: Writer, database: Path):
    put(writer, "x = 1\n")
    assert names(index) == ["x"]
    index.reopen()
    for path in database.parent.iterdir():
        path.write_bytes(b"damage" * 2000)
    assert names(index) is None
    for path in database.parent.iterdir():
        path.unlink()
    with closing(open_for_writing(database)) as connection:
        put(Writer(connection), "y = 1")
        assert names(index) == ["y"]


def test_windows_with_a_term_unless_it_is_too_common(
    index: Index, writer: Writer, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("copilot_server.workspace.index.MOST_WINDOWS", 3)

    def put_windows(count: int) -> None:
        for number in range(count):
            path = f"/w/{number}.py"
            writer.put([(SourceFile(path, 1, 1), "")], [(path, windows_of("alpha()"))])
        index.version()

    put_windows(3)
    assert index.windows_with("pyalpha") == (1, 2, 3)
    assert index.windows_with("pybeta") == ()
    assert index.location(3) == Location("/w/2.py", 0, 1)
    put_windows(4)
    assert index.windows_with("pyalpha") is None
    writer.remove([f"/w/{number}.py" for number in range(4)])
    index.version()
    assert index.windows_with("pyalpha") is None  # it is not looked up again
    assert index.location(3) is None


def test_nonsense_in_the_database_is_an_unknown_file(index: Index, writer: Writer, database: Path):
    writer.put([(SourceFile(PATH, 1, 1), "nonsense")])
    assert names(index) is None
    with closing(sqlite3.connect(database)) as connection:
        assert connection.execute("SELECT count(*) FROM files").fetchone() == (1,)


def test_the_names_in_files(index: Index, writer: Writer, overlay: Overlay):
    assert index.names(PATH) is None
    put_names(writer, "x = 1")
    index.version()
    found = index.names(PATH)
    assert found is not None
    assert list(found.bindings) == ["x"]
    overlay.set(PATH, "y = 1", read=True)
    index.version()
    assert index.names(PATH) is None  # the document is not read yet
    overlay.catch_up()
    found = index.names(PATH)
    assert found is not None
    assert list(found.bindings) == ["y"]
    overlay.set(PATH, "z = 1", read=False)
    assert index.names(PATH) is None
    index.hide(frozenset({PATH}))
    overlay.catch_up()
    assert index.names(PATH) is None


def test_the_uses_of_names(index: Index, writer: Writer, overlay: Overlay):
    put_names(writer, "a.used = 1")
    index.version()
    assert index.uses("assigned", "used", "")
    assert not index.uses("assigned", "elsewhere", "")
    assert not index.uses("member", "used", "")
    assert not index.uses("assigned", "used", PATH)  # the document itself is looked at elsewhere
    index.hide(frozenset({PATH}))
    assert not index.uses("assigned", "used", "")
    index.hide(frozenset())
    overlay.set(PATH, "a.elsewhere", read=False)
    assert not index.uses("assigned", "used", "")
    assert index.uses("assigned", "elsewhere", "")
    assert not index.uses("assigned", "elsewhere", PATH)
    overlay.set(PATH, "a.elsewhere", read=True)
    overlay.catch_up()
    assert not index.uses("assigned", "elsewhere", "")
    overlay.set(PATH, "a.elsewhere = 1", read=True)
    overlay.catch_up()
    assert index.uses("assigned", "elsewhere", "")
    overlay.remove(PATH)
    put_names(writer, "a.other = 1")
    index.version()
    assert not index.uses("assigned", "used", "")
