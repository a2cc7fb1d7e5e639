"""What is remembered of a search while somebody types."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from copilot_server.workspace.files import SourceFile
from copilot_server.workspace.index import Index
from copilot_server.workspace.overlay import Overlay
from copilot_server.workspace.similar.families import BY_LANGUAGE
from copilot_server.workspace.similar.search import Around
from copilot_server.workspace.similar.source import SimilarCode
from copilot_server.workspace.similar.windows import windows_of
from copilot_server.workspace.store import Writer, open_for_writing
from tests.support.similar_code import BEGUN, CODE, filler

AROUND = Around(BEGUN, "", "/own.py", BY_LANGUAGE["python"])


@pytest.fixture
def index(tmp_path: Path) -> Iterator[Index]:
    database = tmp_path / "index.sqlite3"
    with closing(open_for_writing(database)) as connection:
        for number in range(20):
            put(Writer(connection), tmp_path / f"filler{number}.py", filler(number))
        put(Writer(connection), tmp_path / "similar.py", CODE)
    index = Index(database, [str(tmp_path)], Overlay())
    yield index
    index.close()


def put(writer: Writer, path: Path, text: str) -> None:
    path.write_text(text, "utf-8")
    writer.put([(SourceFile(str(path), 1, 1), "")], [(str(path), windows_of(text))])


def test_the_files_are_asked_once_while_nothing_changes(index: Index, tmp_path: Path):
    asked: list[str] = []

    def may_read(path: str) -> bool:
        asked.append(path)
        return True

    similar = SimilarCode(index, 400, may_read)
    first = similar.at(AROUND)
    assert [one.path for one in first] == [str(tmp_path / "similar.py")] == asked
    assert similar.at(AROUND) == first
    assert len(asked) == 1
    index.hide(frozenset({str(tmp_path / "similar.py")}))
    assert similar.at(AROUND) == ()


def test_on_the_next_line_the_same_is_shown(index: Index):
    below = Around(BEGUN + "    parsed = parse_manifest(content)\n", "", "/own.py", AROUND.family)
    similar, fresh = (SimilarCode(index, 400, lambda _: True) for _ in range(2))
    first = similar.at(AROUND)
    assert similar.at(below) == first
    assert fresh.at(below) != first


def test_without_room_nothing_is_looked_for(index: Index):
    assert SimilarCode(index, 0, lambda _: True).at(AROUND) == ()
