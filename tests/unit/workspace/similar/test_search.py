"""The search for similar code, in a database and files of its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from copilot_server.workspace.files import SourceFile
from copilot_server.workspace.index import Index
from copilot_server.workspace.overlay import Overlay
from copilot_server.workspace.similar.families import BY_LANGUAGE
from copilot_server.workspace.similar.search import Around, Found, find
from copilot_server.workspace.similar.windows import windows_of
from copilot_server.workspace.store import Writer, open_for_writing
from tests.support.similar_code import BEGUN, CODE, filler

ROOM = 400


class Place:
    """A folder with an index that tests fill."""

    def __init__(self, folder: Path, writer: Writer) -> None:
        self.folder = folder
        self.writer = writer
        self.overlay = Overlay()
        self.index = Index(folder / "index.sqlite3", [str(folder)], self.overlay)
        self.excluded: set[str] = set()

    def put(self, name: str, text: str) -> str:
        path = self.folder / name
        path.write_text(text, "utf-8")
        self.writer.put([(SourceFile(str(path), 1, 1), "")], [(str(path), windows_of(text))])
        return str(path)

    def find(
        self,
        begun: str = BEGUN,
        after: str = "",
        name: str = "own.py",
        last: Found | None = None,
        room: int = ROOM,
    ) -> Found | None:
        self.index.version()
        around = Around(begun, after, str(self.folder / name), BY_LANGUAGE["python"])
        return find(around, self.index, room, lambda path: path not in self.excluded, last)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    with closing(open_for_writing(tmp_path / "index.sqlite3")) as connection:
        place = Place(tmp_path, Writer(connection))
        for number in range(20):
            place.put(f"filler{number}.py", filler(number))
        yield place
        place.index.close()


def test_what_follows_similar_code_is_shown(place: Place):
    path = place.put("similar.py", filler(50) + CODE)
    found = place.find()
    assert found is not None
    assert found.path == path
    assert "    parsed = parse_manifest(content)" in found.text
    assert found.text.startswith("    with open_archive(path) as archive:")
    assert (found.snippet.kind, found.snippet.is_stable) == ("similar", True)


def test_without_similar_code_there_is_nothing(place: Place):
    assert place.find() is None
    place.put("similar.py", CODE)
    assert place.find("def other():\n    return None\n") is None
    assert place.find("") is None


def test_the_text_has_at_most_the_room(place: Place):
    place.put("similar.py", CODE)
    whole = place.find()
    assert whole is not None
    less = place.find(room=len(whole.text) - 1)
    assert less is not None
    assert whole.text.startswith(less.text)
    assert len(less.text) < len(whole.text)
    assert place.find(room=40) is None


def test_neither_the_documents_own_file_nor_a_link_to_it_is_shown(place: Place):
    path = Path(place.put("own.py", CODE))
    assert place.find() is None
    (place.folder / "hard.py").hardlink_to(path)
    place.put("hard.py", CODE)
    assert place.find() is None
    assert place.find(name="other.py") is not None


def test_hidden_excluded_and_missing_files_are_not_shown(place: Place):
    path = place.put("similar.py", CODE)
    place.index.hide(frozenset({path}))
    assert place.find() is None
    place.index.hide(frozenset())
    place.excluded.add(path)
    assert place.find() is None
    place.excluded.clear()
    assert place.find() is not None
    Path(path).rename(place.folder / "renamed.py")
    assert place.find(name="renamed.py") is None


def test_a_file_is_shown_as_it_is_now(place: Place):
    path = place.put("similar.py", CODE)
    Path(path).write_text("# new\n\n" + CODE.replace("parsed", "changed"), "utf-8")
    found = place.find()
    assert found is not None
    assert "changed = parse_manifest" in found.text
    Path(path).write_text("nothing = alike\n" * 30, "utf-8")
    assert place.find() is None


def test_files_in_other_languages_are_not_shown(place: Place):
    place.put("similar.js", CODE)
    assert place.find() is None


def test_code_that_follows_the_cursor_already_is_not_shown(place: Place):
    place.put("similar.py", BEGUN + "    parsed = parse_manifest(content)\n")
    assert place.find() is not None
    assert place.find(after="\n    parsed = parse_manifest(content)\n") is None


class TestOpenDocuments:
    def test_the_text_of_an_open_document_counts_and_not_its_file(self, place: Place):
        path = place.put("similar.py", CODE)
        place.overlay.set(path, CODE.replace("parsed", "unsaved"), read=True)
        assert place.find() is None  # it is not read yet, and its file counts no more
        place.overlay.catch_up()
        found = place.find()
        assert found is not None
        assert "unsaved = parse_manifest" in found.text
        place.overlay.set(path, "nothing = alike", read=True)
        place.overlay.catch_up()
        assert place.find() is None
        place.overlay.remove(path)
        assert place.find() is not None

    def test_one_that_is_not_in_the_index_is_not_shown(self, place: Place):
        place.overlay.set(str(place.folder / "ignored.py"), CODE, read=True)
        place.overlay.catch_up()
        assert place.find() is None

    def test_one_in_another_language_is_not_shown(self, place: Place):
        path = place.put("similar.js", "x")
        place.overlay.set(path, CODE, read=True)
        place.overlay.catch_up()
        assert place.find() is None

    def test_hidden_and_excluded_ones_are_not_shown(self, place: Place):
        path = place.put("similar.py", "x")
        place.overlay.set(path, CODE, read=True)
        place.overlay.catch_up()
        assert place.find() is not None
        place.excluded.add(path)
        assert place.find() is None
        place.excluded.clear()
        place.index.hide(frozenset({path}))
        assert place.find() is None


class TestTheNextLines:
    """What was found stays while somebody writes the lines that follow."""

    BELOW = BEGUN + "    parsed = parse_manifest(content)\n"

    def test_it_is_found_again_below(self, place: Place):
        place.put("similar.py", CODE)
        first = place.find()
        assert first is not None
        assert place.find(self.BELOW, last=first) is first
        fresh = place.find(self.BELOW)
        assert fresh is not None
        assert fresh.text != first.text

    def test_elsewhere_it_is_not(self, place: Place):
        place.put("similar.py", CODE)
        assert place.find("def other():\n    return None\n", last=place.find()) is None

    @pytest.mark.parametrize("change", ["edited", "deleted", "hidden", "excluded", "own"])
    def test_what_has_changed_or_must_not_be_shown_any_more_is_not(self, place: Place, change: str):
        path = place.put("similar.py", CODE)
        first = place.find()
        assert place.find(self.BELOW, last=first) is first
        if change == "edited":
            Path(path).write_text(CODE.replace("content", "changed"), "utf-8")
        elif change == "deleted":
            Path(path).unlink()
        elif change == "hidden":
            place.index.hide(frozenset({path}))
        elif change == "excluded":
            place.excluded.add(path)
        name = "similar.py" if change == "own" else "own.py"
        assert place.find(self.BELOW, last=first, name=name) is not first

    def test_once_nothing_more_follows_it_is_not(self, place: Place):
        place.put("similar.py", CODE)
        first = place.find()
        assert first is not None
        begun = "def load_manifest(path):\n" + first.text + "\n"
        assert place.find(begun, last=first) is not first
