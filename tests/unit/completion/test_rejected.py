"""What was dismissed, typed away or deleted is not suggested again while the user types."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from copilot_server.completion.rejected import MAX_DOCUMENTS, MAX_REJECTIONS, RejectedSuggestions

URI = "file:///a.py"


class Editor:
    """An editor with one document and one cursor in it."""

    def __init__(self, text: str = "x = ", after: str = "\ny\n") -> None:
        self.before, self.after = text, after
        self.rejected = RejectedSuggestions()

    @property
    def document(self) -> str:
        return self.before + self.after

    def offer(self, *texts: str, name: str = "item") -> None:
        items = {f"{name} {number}": text for number, text in enumerate(texts)}
        self.rejected.offered(URI, self.document, len(self.before), items)

    def edit(self, start: int, removed: int, text: str) -> None:
        document = self.document
        self.rejected.changed(URI, start, document[start : start + removed], text)
        self.before = document[:start] + text
        self.after = document[start + removed :]

    def move(self, offset: int) -> None:
        document = self.document
        self.before, self.after = document[:offset], document[offset:]

    def type(self, text: str) -> None:
        self.edit(len(self.before), 0, text)

    def backspace(self, count: int = 1) -> None:
        self.edit(len(self.before) - count, count, "")

    def allows(self, text: str) -> bool:
        return self.rejected.allows(URI, self.document, len(self.before), text)


def test_what_was_dismissed_is_not_suggested_there_again():
    editor = Editor()
    editor.offer("foo()")
    assert editor.allows("foo()")
    editor.rejected.dismissed("item 0")
    assert not editor.allows("foo()")
    assert editor.allows("bar()")
    assert RejectedSuggestions().allows(URI, editor.document, len(editor.before), "foo()")


def test_what_was_dismissed_may_be_suggested_once_the_text_before_it_has_changed():
    editor = Editor()
    editor.offer("foo()")
    editor.rejected.dismissed("item 0")
    editor.type("f")
    assert editor.allows("oo()")
    editor.backspace()
    assert not editor.allows("foo()")  # and here it is what it was
    editor.edit(0, 1, "z")
    editor.move(4)
    assert editor.allows("foo()")


def test_it_stays_unwanted_if_the_line_is_deleted_too_far_and_typed_again():
    editor = Editor("a\nx = ")
    editor.offer("foo()")
    editor.rejected.dismissed("item 0")
    editor.backspace(2)
    editor.type("= ")
    assert not editor.allows("foo()")


@pytest.mark.parametrize("count", [5, 6])
def test_it_may_be_suggested_once_more_than_the_line_was_deleted(count: int):
    editor = Editor("a\nx = ")
    editor.offer("foo()")
    editor.rejected.dismissed("item 0")
    editor.backspace(count)
    editor.type("a\nx = "[-count:])
    assert editor.allows("foo()")


def test_it_may_be_suggested_in_another_document():
    editor = Editor()
    editor.offer("foo()")
    editor.rejected.dismissed("item 0")
    assert editor.rejected.allows("file:///b.py", editor.document, len(editor.before), "foo()")


def test_what_was_typed_away_is_not_suggested_there_again():
    editor = Editor()
    editor.offer("foo()")
    editor.type("b")
    assert editor.allows("ar()")
    editor.backspace()
    editor.type("c")
    editor.backspace()
    assert not editor.allows("foo()")
    assert editor.allows("far()")


def test_what_was_typed_away_after_a_part_of_it_is_wanted_nowhere_on_the_way():
    editor = Editor()
    editor.offer("foo()")
    editor.type("f")
    editor.type("o")
    editor.type("x")
    editor.backspace()
    assert not editor.allows("o()")
    editor.backspace(2)
    editor.type("f")
    assert not editor.allows("oo()")
    editor.type("oo")  # further than ever before
    assert editor.allows("()")


def test_a_suggestion_that_is_offered_again_for_each_key_is_one():
    editor = Editor()
    for number, rest in enumerate(("foo()", "oo()", "o()")):
        editor.offer(rest, name=str(number))
        editor.type("foo"[number])
    editor.backspace()
    editor.type("x")
    editor.backspace(3)
    editor.type("f")
    assert not editor.allows("oo()")


def test_what_is_typed_is_not_typed_away():
    editor = Editor()
    editor.offer("foo(a)")
    editor.type("foo")
    editor.type("()")  # the editor closes the bracket
    editor.move(8)
    editor.type("a")
    editor.edit(4, 5, "")
    editor.type("f")  # the last edit was no deletion
    assert editor.allows("oo(a)")


def test_what_was_accepted_is_not_typed_away():
    editor = Editor()
    editor.offer("foo()")
    editor.type("foo()")
    editor.type(".bar")
    editor.backspace(9)
    editor.type(" ")
    editor.backspace()
    assert editor.allows("foo()")


def test_what_was_accepted_and_taken_back_is_not_suggested_again():
    editor = Editor()
    editor.offer("foo()")
    editor.type("foo()")
    editor.backspace(5)
    editor.type("b")
    editor.backspace()
    assert not editor.allows("foo()")


def test_an_edit_elsewhere_rejects_nothing():
    editor = Editor()
    editor.offer("foo()")
    editor.edit(len(editor.document), 0, "z")
    editor.move(4)
    editor.type("b")
    editor.backspace()
    editor.type("f")
    assert editor.allows("oo()")
    editor.edit(4, 1, "")
    editor.type(" ")
    editor.backspace()
    assert editor.allows("foo()")


def test_only_what_was_shown_is_rejected():
    editor = Editor()
    editor.offer("one", "two", "three")
    editor.rejected.shown("item 1")
    editor.rejected.shown("unknown")
    editor.type("z")
    editor.backspace()
    assert [editor.allows(text) for text in ("one", "two", "three")] == [False, False, True]


@pytest.mark.parametrize(
    ("text", "allowed"),
    [
        ("a = 1\n    b = 2", False),
        ("a = 1  \n    b = 2\n", False),
        ("a = 1", False),
        ("a = 1\n    b = 2\n    c = 3", False),
        ("a = 1\n    c = 3", True),
        ("a = 12", True),
    ],
)
def test_the_same_lines_and_more_or_fewer_are_the_same_suggestion(text: str, allowed: bool):
    editor = Editor("def f():\n    ")
    editor.offer("a = 1\n    b = 2")
    editor.rejected.dismissed("item 0")
    assert editor.allows(text) is allowed


class TestDeletions:
    def test_what_was_just_deleted_is_not_suggested(self):
        editor = Editor("x = foo()")
        assert editor.allows("foo()")
        editor.backspace(5)
        assert not editor.allows("foo()")
        assert not editor.allows("foo() + 1")
        assert not editor.allows("foo")
        assert editor.allows("bar()")

    def test_deletions_key_by_key_are_one(self):
        editor = Editor("x = foo")
        for _ in range(3):
            editor.backspace()
        assert not editor.allows("foo()")
        assert editor.allows("fob")

    def test_deletions_to_the_right_are_one(self):
        editor = Editor("x = ", "foo\n")
        for _ in range(3):
            editor.edit(4, 1, "")
        assert not editor.allows("foo()")

    def test_it_may_be_suggested_after_another_edit(self):
        editor = Editor("x = foo()")
        editor.backspace(5)
        editor.type("f")
        assert editor.allows("oo()")

    def test_it_may_be_suggested_elsewhere(self):
        editor = Editor("x = foo()")
        editor.backspace(5)
        editor.move(6)
        assert editor.allows("foo()")

    def test_a_line_that_was_deleted_is_not_suggested_on_a_new_line_in_its_place(self):
        editor = Editor("a\n    b = 1\n", "    c\n")
        editor.backspace(10)
        editor.type("    \n")
        editor.move(6)
        assert not editor.allows("b = 1")
        assert editor.allows("d = 1")

    def test_an_indentation_that_was_deleted_is_not_suggested(self):
        editor = Editor("if a:\n        ")
        editor.backspace(4)
        assert not editor.allows("    b = 1")
        assert editor.allows("b = 1")

    def test_an_indentation_may_be_suggested_that_the_editor_has_deleted(self):
        editor = Editor("if a:\n    ")
        editor.backspace(4)
        assert editor.allows("    b = 1")

    def test_a_replacement_is_no_deletion(self):
        editor = Editor("x = foo")
        editor.edit(4, 3, "b")
        assert editor.allows("foo")


def test_a_document_that_was_closed_is_forgotten():
    editor = Editor()
    editor.offer("foo()")
    editor.rejected.dismissed("item 0")
    editor.rejected.closed(URI)
    assert editor.allows("foo()")


def test_what_is_kept_is_bounded():
    editor = Editor()
    editor.offer("foo()", name="first")
    editor.rejected.dismissed("first 0")
    for number in range(MAX_REJECTIONS - 1):
        editor.offer(f"text {number}")
        editor.rejected.dismissed("item 0")
    assert not editor.allows("foo()")
    editor.offer("one more")
    editor.rejected.dismissed("item 0")
    assert editor.allows("foo()")
    assert not editor.allows("one more")
    for number in range(MAX_DOCUMENTS):
        editor.rejected.changed(f"file:///{number}.py", 0, "x", "")
    assert editor.allows("one more")


@given(st.lists(st.text("ab(\n )", min_size=1, max_size=3), max_size=8), st.data())
def test_what_was_never_offered_or_deleted_is_always_allowed(pieces: list[str], data: st.DataObject):
    editor = Editor("")
    editor.offer("zzz")
    for piece in pieces:
        at = data.draw(st.integers(0, len(editor.document)))
        editor.edit(at, 0, piece)
        assert editor.allows("yyy")
