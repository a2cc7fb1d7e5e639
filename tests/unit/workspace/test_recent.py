"""The places that were edited last."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from copilot_server.workspace.recent import MOST_LINES, MOST_PLACES, NEAR_ABOVE, NEAR_BELOW, RecentEdits

LINES = [f"line {number}" for number in range(400)]


class Editor:
    """Documents that are edited, and what was edited last."""

    def __init__(self, *names: str) -> None:
        self.recent = RecentEdits()
        self.texts = {name: "\n".join(LINES) for name in names}

    def edit(self, name: str, old: str, new: str) -> None:
        self.set(name, self.texts[name].replace(f"{old}\n", f"{new}\n", 1))

    def set(self, name: str, text: str) -> None:
        before, self.texts[name] = self.texts[name], text
        self.recent.changed(name, before, text)

    def seen(self, line: int = 0, name: str = "own", room: int = 1000) -> list[tuple[str, str]]:
        texts: Mapping[str, str] = self.texts
        found = self.recent.snippets(name, line, room, texts.get)
        assert all(one.kind == "edited" for one in found)
        return [(one.path, one.text) for one in found]


@pytest.fixture
def editor() -> Editor:
    return Editor("own", "a", "b", "c")


def test_the_edited_lines_are_shown_as_they_are_now_with_a_line_around(editor: Editor):
    editor.edit("a", "line 7", "x")
    editor.edit("a", "x", "xy")
    assert editor.seen() == [("a", "line 6\nxy\nline 8")]


def test_the_last_places_are_shown_the_oldest_first(editor: Editor):
    for name in ("a", "b", "c"):
        editor.edit(name, "line 7", name)
    assert [path for path, _ in editor.seen()] == ["b", "c"]
    editor.edit("a", "a", "again")
    assert [path for path, _ in editor.seen()] == ["c", "a"]


def test_edits_that_are_close_are_one_place(editor: Editor):
    editor.edit("a", "line 7", "x")
    editor.edit("a", "line 9", "y")
    editor.edit("a", "line 50", "z")
    assert editor.seen() == [("a", "line 6\nx\nline 8\ny\nline 10"), ("a", "line 49\nz\nline 51")]


def test_a_place_moves_with_the_lines_above_it(editor: Editor):
    editor.edit("a", "line 50", "x")
    editor.edit("a", "line 7", "7\n7\n7")
    assert ("a", "line 49\nx\nline 51") in editor.seen()
    editor.edit("a", "line 8\nline 9\nline 10", "")
    assert ("a", "line 49\nx\nline 51") in editor.seen()


def test_what_is_near_the_cursor_is_not_shown(editor: Editor):
    editor.edit("own", "line 200", "x")
    for line in (200, 200 + NEAR_ABOVE, 200 - NEAR_BELOW):
        assert editor.seen(line) == []
    for line in (202 + NEAR_ABOVE, 199 - NEAR_BELOW):
        assert len(editor.seen(line)) == 1
    assert len(editor.seen(200, "a")) == 1


def test_typing_at_the_cursor_changes_nothing(editor: Editor):
    editor.edit("a", "line 7", "x")
    editor.edit("b", "line 7", "y")
    seen = editor.seen(100)
    for number in range(60, 120):
        editor.edit("own", f"line {number}", f"typed {number}")
        assert editor.seen(number) == seen


def test_lines_that_are_gone_are_forgotten(editor: Editor):
    editor.edit("a", "line 7", "secret")
    assert "secret" in editor.seen()[0][1]
    editor.edit("a", "secret", "")
    assert "secret" not in str(editor.seen())
    editor.set("a", "")
    assert editor.seen() == []


def test_a_closed_document_is_forgotten(editor: Editor):
    editor.edit("a", "line 7", "x")
    editor.edit("b", "line 7", "y")
    editor.recent.closed("a")
    assert [path for path, _ in editor.seen()] == ["b"]


def test_a_document_that_must_not_be_shown_is_not(editor: Editor):
    editor.edit("a", "line 7", "x")
    assert len(editor.seen()) == 1
    del editor.texts["a"]
    assert editor.seen() == []


def test_what_a_program_changes_is_no_edit_and_takes_the_place_of_those_in_it(editor: Editor):
    editor.edit("a", "line 7", "x")
    editor.edit("a", "line 90", "y")
    formatted = editor.texts["a"].split("\n")
    formatted[: MOST_LINES * 2] = [f"{line};" for line in formatted[: MOST_LINES * 2]]
    editor.set("a", "\n".join(formatted))
    assert editor.seen() == [("a", "line 89\ny\nline 91")]


def test_a_place_keeps_the_lines_around_the_last_edit(editor: Editor):
    for number in range(10, 60):
        editor.edit("a", f"line {number}", f"x{number}")
    ((_, text),) = editor.seen()
    assert "x59" in text
    assert text.count("\n") <= MOST_LINES + 1


def test_there_are_not_more_places_than_are_remembered(editor: Editor):
    for number in range(0, 400, 20):
        editor.edit("a", f"line {number}", f"x{number}")
    assert len(editor.recent._places) == MOST_PLACES
    assert editor.seen()[-1] == ("a", "line 379\nx380\nline 381")


def test_what_does_not_fit_and_blank_places_are_left_out(editor: Editor):
    editor.edit("a", "line 7", "x")
    editor.edit("b", "line 7", "y" * 300)
    assert [path for path, _ in editor.seen(room=100)] == ["a"]
    editor.edit("c", "line 7", "")
    assert [path for path, _ in editor.seen()] == ["a", "b"]


def test_the_same_text_is_no_edit(editor: Editor):
    editor.set("a", editor.texts["a"])
    assert editor.seen() == []
