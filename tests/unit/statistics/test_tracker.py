"""What the tracker makes of edits, requests, time and what editors report."""

from __future__ import annotations

import re
import sys

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from copilot_server.statistics.tracker import MAX_DOCUMENTS, MAX_ITEMS, MAX_LIVES, SEEN_AFTER_S
from copilot_server.statistics.types import PlainEdit, SuggestionCounts
from tests.support.statistics_editor import SPELLINGS, Editor

SUGGESTION = "x + 1\n    return x"


def offered(text: str = SUGGESTION, before: str = "def f(x):\n    x = ", after: str = "\n\nf(1)\n") -> Editor:
    """An editor in which ``text`` has been on show for a second."""
    editor = Editor(before + after, len(before))
    editor.offer(text)
    editor.wait(1)
    return editor


class TestShown:
    def test_what_stood_a_while_was_shown(self):
        editor = offered()
        editor.type("#")
        assert editor.row.shown
        assert not editor.row.accepted

    def test_what_was_superseded_at_once_was_not(self):
        editor = Editor("x = ")
        editor.offer("1")
        editor.now_s += SEEN_AFTER_S / 2
        editor.type("#")
        assert not editor.close().shown

    def test_a_request_at_another_position_ends_it(self):
        editor = offered()
        editor.tracker.requested(editor.uri, 0)
        assert editor.row.shown

    def test_a_request_at_its_position_does_not(self):
        editor = offered()
        editor.tracker.requested(editor.uri, editor.cursor)
        assert not editor.row.shown
        editor.insert(SUGGESTION)
        assert editor.row.accepted

    def test_closing_the_document_ends_it(self):
        assert offered().close().shown

    def test_where_the_editor_tells_nothing_is_inferred(self):
        editor = Editor("x = ")
        (first,) = editor.offer("1")
        editor.tracker.shown(first)
        editor.type("#")
        editor.offer("22")
        editor.wait(1)
        editor.type("#")
        assert [row.shown for row in editor.rows.by_id.values()] == [True, False]

    def test_the_first_of_several_is_the_one_on_the_screen(self):
        editor = Editor("x = ")
        editor.offer("11", "22", "33")
        editor.wait(1)
        editor.type("#")
        assert [row.shown for row in editor.rows.by_id.values()] == [True, False, False]

    def test_the_same_suggestion_at_each_key_is_shown_once(self):
        editor = Editor("x = ")
        text = "value.strip()"
        for typed in range(8):
            editor.offer(text[typed:])
            editor.wait(0.1)
            editor.type(text[typed])
        row = editor.close()
        assert (row.shown, row.characters, row.typed_characters) == (True, len(text), 8)

    def test_its_eagerness_is_that_of_its_first_offer(self):
        editor = Editor("x = ")
        editor.offer("value", eagerness="low")
        editor.type("v")
        editor.offer("alue", eagerness="high")
        assert editor.row.eagerness == "low"
        # The twin: another suggestion has its own.
        editor.offer("other", eagerness="high")
        assert [row.eagerness for row in editor.rows.by_id.values()] == ["low", "high"]

    def test_another_suggestion_at_each_key_is_another(self):
        editor = Editor("x = ")
        for text in ("value", "other", "thing"):
            editor.offer(text)
            editor.wait(1)
            editor.type("#")
        assert len(editor.rows.by_id) == 3

    def test_a_wrong_key_taken_back_brings_back_the_same(self):
        editor = offered()
        editor.type("#")
        editor.edit(editor.cursor - 1, editor.cursor, "")
        editor.offer(SUGGESTION)
        editor.insert(SUGGESTION)
        assert editor.row.accepted

    def test_the_same_text_at_another_position_or_much_later_is_another_suggestion(self):
        editor = offered()
        editor.insert("#\n")
        editor.offer(SUGGESTION)
        assert len(editor.rows.by_id) == 2
        editor.type("#")
        editor.edit(editor.cursor - 1, editor.cursor, "")
        editor.now_s += 3600
        editor.offer(SUGGESTION)
        assert len(editor.rows.by_id) == 3

    def test_the_rest_after_a_blank_line_that_the_editor_indented_is_the_same(self):
        editor = offered("a = 1\n\n    b = 2")
        editor.type("a = 1")
        editor.insert("\n    ")
        editor.insert("\n    ")
        editor.offer("b = 2")
        editor.insert("b = 2")
        assert editor.row.accepted


class TestAccepted:
    @pytest.mark.parametrize("spelling", SPELLINGS)
    def test_all_at_once_however_the_editor_sends_it(self, spelling: str):
        editor = offered()
        editor.insert(SUGGESTION, spelling=spelling)
        row = editor.row
        assert (row.shown, row.accepted, row.accepted_characters) == (True, True, len(SUGGESTION))

    @pytest.mark.parametrize("spelling", SPELLINGS)
    @pytest.mark.parametrize(
        ("text", "after", "over"),
        [("))", ")", 1), ("foo)", ")\n", 1), ("aa", "aaa", 0), ("ab(c)", "abc)", 4)],
    )
    def test_where_it_is_like_what_follows(self, spelling: str, text: str, after: str, over: int):
        editor = Editor("f(" + after, 2)
        editor.offer(text, replaced=over)
        editor.wait(1)
        editor.insert(text, over=over, spelling=spelling)
        # Of "))" over ")" one key could have made the document that it is now.
        assert editor.row.accepted == (text != "))")

    @pytest.mark.parametrize("spelling", SPELLINGS)
    def test_all_but_what_was_typed_of_it(self, spelling: str):
        editor = offered()
        editor.type("x ")
        editor.insert(SUGGESTION[2:], spelling=spelling)
        row = editor.row
        assert (row.accepted, row.typed_characters) == (True, 2)
        assert row.accepted_characters == len(SUGGESTION) - 2

    def test_by_a_word_it_is_partly(self):
        editor = offered("value.strip()")
        editor.insert("value")
        row = editor.close()
        assert (row.shown, row.accepted, row.accepted_characters) == (True, False, 5)

    def test_by_a_line_it_is_partly(self):
        editor = offered()
        editor.insert("x + 1")
        assert (editor.row.accepted, editor.row.accepted_characters) == (False, 5)

    def test_word_by_word_to_the_end_it_is_accepted(self):
        editor = offered("value.strip()")
        for word in ("value", ".strip", "()"):
            editor.insert(word)
        # The pair that ends it might be a key's, but comes right after a word.
        assert (editor.row.accepted_characters, editor.row.typed_characters) == (11, 2)
        other = offered("value.strip(x)")
        for word in ("value", ".strip(x", ")"):
            other.insert(word)
        assert (other.row.accepted, other.row.accepted_characters) == (True, 14)

    @pytest.mark.parametrize("ending", ["(x)", "\n    y"])
    def test_typed_to_its_end_by_hand_it_is_not(self, ending: str):
        text = "value" + ending
        editor = offered(text)
        for key in re.findall(r"\n +|.", text):
            editor.insert(key)
        row = editor.row
        assert (row.accepted, row.accepted_characters, row.typed_characters) == (False, 0, len(text))

    def test_typed_with_brackets_that_the_editor_closes_it_is_not(self):
        editor = offered("f(x)[0]", after="\n")
        for text in ("f", "()"):
            editor.insert(text)
        editor.cursor -= 1
        editor.type("x")
        editor.cursor += 1
        editor.insert("[]")
        editor.cursor -= 1
        editor.type("0")
        row = editor.row
        assert (row.accepted, row.typed_characters) == (False, 7)

    def test_with_a_bracket_that_the_editor_closed_the_rest_is_accepted(self):
        editor = offered("f(value, other)", after="\n")
        editor.insert("f")
        editor.insert("()")
        editor.cursor -= 1
        editor.offer("value, other)", replaced=1)
        editor.insert("value, other)", over=1)
        row = editor.row
        assert (row.accepted, row.accepted_characters, row.typed_characters) == (True, 13, 2)

    @pytest.mark.parametrize("other", ["y + 1\n    return x", SUGGESTION + "!", SUGGESTION[1:]])
    def test_another_text_put_there_is_not(self, other: str):
        editor = offered()
        editor.insert(other)
        assert not editor.close().accepted

    def test_its_text_inserted_at_another_position_is_not(self):
        editor = offered()
        editor.edit(0, 0, SUGGESTION)
        assert not editor.close().accepted

    def test_its_text_put_there_after_an_edit_far_away_is_not(self):
        editor = Editor("#\n" * 1000 + "x = ")
        editor.offer("value + 1")
        editor.edit(0, 0, "y")
        editor.cursor = len(editor.text)
        editor.insert("value + 1")
        assert not editor.close().accepted

    def test_its_text_put_there_after_it_had_gone_is_not(self):
        editor = offered()
        editor.tracker.requested(editor.uri, 0)
        editor.insert(SUGGESTION)
        assert not editor.close().accepted

    def test_the_second_of_several(self):
        editor = Editor("x = ")
        editor.offer("first one", "second one")
        editor.wait(1)
        editor.insert("second one")
        first, second = editor.rows.by_id.values()
        assert (first.shown, first.accepted) == (True, False)
        assert (second.shown, second.accepted) == (True, True)

    def test_an_import_put_in_above_along_with_it(self):
        editor = offered()
        position = editor.cursor
        edits = [*_edits(position, SUGGESTION), *_edits(0, "import os\n")]
        editor.text = "import os\n" + editor.text[:position] + SUGGESTION + editor.text[position:]
        editor.texts[editor.uri] = editor.text
        editor.tracker.changed(editor.uri, edits)
        assert editor.row.accepted
        editor.wait(31)
        assert editor.row.kept_30_s

    def test_what_was_typed_and_taken_back_was_not_typed(self):
        editor = offered("value")
        editor.type("val")
        editor.edit(editor.cursor - 2, editor.cursor, "")
        row = editor.close()
        assert (row.typed_characters, row.accepted_characters) == (1, 0)

    def test_keys_that_the_editor_sends_together_are_keys(self):
        editor = offered("abc")
        position = editor.cursor
        editor.tracker.changed(editor.uri, [*_edits(position, "a"), *_edits(position + 1, "b")])
        assert editor.close().typed_characters == 2

    def test_accepted_and_undone_it_was_accepted_and_not_kept(self):
        editor = offered()
        start = editor.cursor
        editor.insert(SUGGESTION)
        editor.edit(start, start + len(SUGGESTION), "")
        editor.offer(SUGGESTION)
        editor.wait(31)
        row = editor.close()
        assert (row.accepted, row.kept_30_s) == (True, False)


def _edits(offset: int, text: str) -> list[PlainEdit]:
    return [PlainEdit(offset, offset, text)]


class TestTold:
    @pytest.mark.parametrize("edit_first", [False, True])
    def test_accepted_before_or_after_the_edit(self, edit_first: bool):
        editor = Editor("x = ")
        (item,) = editor.offer("y")
        for step in (0, 1) if edit_first else (1, 0):
            if step == 0:
                editor.insert("y")
            else:
                editor.tracker.accepted(item)
        row = editor.close()
        assert (row.shown, row.accepted, row.accepted_characters, row.typed_characters) == (True, True, 1, 0)

    def test_accepted_after_some_was_typed(self):
        editor = Editor("x = ")
        (item,) = editor.offer("value")
        editor.type("va")
        editor.tracker.accepted(item)
        editor.insert("lue")
        assert (editor.row.accepted_characters, editor.row.typed_characters) == (3, 2)

    def test_accepted_as_offered_again(self):
        editor = Editor("x = ")
        editor.offer("value")
        editor.type("va")
        (again,) = editor.offer("lue")
        editor.tracker.accepted(again)
        assert (editor.row.accepted_characters, editor.row.typed_characters) == (3, 2)

    def test_partly_in_utf16_units_from_the_start_of_the_inserted_text(self):
        editor = Editor("x = ")
        (item,) = editor.offer("🙂🙂 done")
        editor.tracker.partly_accepted(item, 2)
        assert (editor.row.accepted_characters, editor.row.accepted) == (1, False)
        editor.tracker.partly_accepted(item, 5)
        assert (editor.row.accepted_characters, editor.row.accepted) == (3, False)
        editor.tracker.partly_accepted(item, 9)
        assert (editor.row.accepted_characters, editor.row.accepted) == (7, True)

    def test_partly_of_an_item_that_repeats_the_word_before_it(self):
        editor = Editor("x = va")
        (item,) = editor.offer("lue + 1", head="va")
        editor.tracker.partly_accepted(item, 5)
        assert editor.row.accepted_characters == 3

    def test_partly_and_seen_in_an_edit_it_counts_once(self):
        editor = Editor("x = ")
        (item,) = editor.offer("value + 1")
        editor.insert("value")
        editor.tracker.partly_accepted(item, 5)
        assert editor.row.accepted_characters == 5

    @pytest.mark.parametrize("reported_first", [True, False])
    def test_partly_after_some_was_typed(self, reported_first: bool):
        editor = Editor("x = ")
        (item,) = editor.offer("value + 1")
        editor.type("va")
        if reported_first:
            editor.tracker.partly_accepted(item, 5)
            editor.insert("lue")
        else:
            editor.insert("lue")
            editor.tracker.partly_accepted(item, 5)
        assert (editor.row.accepted_characters, editor.row.typed_characters) == (3, 2)

    def test_partly_accepted_by_what_one_key_could_have_typed(self):
        editor = Editor("x = ")
        (item,) = editor.offer("va + 1")
        editor.type("v")
        editor.insert("a")
        editor.tracker.partly_accepted(item, 2)
        assert (editor.row.accepted_characters, editor.row.typed_characters) == (1, 1)

    @pytest.mark.parametrize("length", [0, -3])
    def test_nothing_accepted_is_nothing(self, length: int):
        editor = Editor("x = ")
        (item,) = editor.offer("value")
        editor.tracker.partly_accepted(item, length)
        assert not editor.row.accepted_characters

    def test_dismissed_it_is_over(self):
        editor = offered()
        (again,) = editor.offer(SUGGESTION)
        editor.tracker.dismissed(again)
        editor.insert(SUGGESTION)
        assert (editor.row.shown, editor.row.accepted) == (True, False)

    def test_an_unknown_id_is_passed_over(self):
        editor = offered()
        before = editor.row
        for report in (editor.tracker.shown, editor.tracker.accepted, editor.tracker.dismissed):
            report("nobody's")
        editor.tracker.partly_accepted("nobody's", 3)
        assert editor.row == before

    def test_of_a_panel_only_what_was_taken_counts(self):
        editor = Editor("x = ")
        items = editor.offer("one()", "two()", trigger="panel")
        editor.wait(1)
        editor.type("o")
        editor.tracker.accepted(items[1])
        assert [row.shown for row in editor.rows.by_id.values()] == [False, True]


class TestKept:
    def accepted(self) -> Editor:
        editor = offered("total = sum(values) / len(values)\n    return round(total, 2)")
        editor.insert("total = sum(values) / len(values)\n    return round(total, 2)")
        return editor

    def test_what_stays_is_kept(self):
        editor = self.accepted()
        editor.wait(29)
        assert editor.row.kept_30_s is None
        editor.wait(2)
        assert (editor.row.kept_30_s, editor.row.kept_300_s) == (True, None)
        editor.wait(270)
        assert (editor.row.kept_30_s, editor.row.kept_300_s) == (True, True)
        assert editor.tracker.due_s is None

    def test_what_is_deleted_later_was_kept_for_a_while(self):
        editor = self.accepted()
        editor.wait(31)
        start = editor.text.index("total")
        editor.edit(start, start + 60, "pass")
        editor.wait(300)
        assert (editor.row.kept_30_s, editor.row.kept_300_s) == (True, False)

    def test_what_was_edited_a_little_is_kept(self):
        editor = self.accepted()
        start = editor.text.index("sum")
        editor.edit(start, start + 3, "fsum")
        editor.wait(31)
        assert editor.row.kept_30_s

    def test_it_is_found_where_it_has_moved_to(self):
        editor = self.accepted()
        for _ in range(20):
            editor.edit(0, 0, "# a line that is put in above it\n")
        editor.wait(31)
        assert editor.row.kept_30_s

    def test_in_a_closed_document_nothing_is_known(self):
        editor = self.accepted()
        editor.tracker.closed(editor.uri)
        editor.wait(31)
        assert editor.row.kept_30_s is None

    def test_of_a_part_only_the_part_is_looked_for(self):
        editor = offered("value.strip()")
        editor.insert("value")
        editor.type(" # and more")
        editor.wait(31)
        assert editor.row.kept_30_s


def test_memory_is_bounded():
    editor = Editor()
    for document in range(2 * MAX_DOCUMENTS):
        editor.uri = f"file:///{document}"
        for n in range(3):
            editor.offer(f"suggestion {n}")
            editor.insert(f"suggestion {n}")
    editor.uri = "file:///last"
    for n in range(2 * MAX_ITEMS):
        editor.offer(f"suggestion {n}")
    tracker = editor.tracker
    assert len(tracker._documents) == MAX_DOCUMENTS
    assert max(len(document.lives) for document in tracker._documents.values()) == MAX_LIVES
    assert len(tracker._items) == MAX_ITEMS


def test_a_paste_of_megabytes_is_not_kept():
    editor = offered()
    editor.insert("x" * 5_000_000)
    assert sum(map(sys.getsizeof, (life.ghost for life in editor.tracker._lives()))) < 1000
    assert not editor.tracker._documents[editor.uri].group


_CHARACTERS = "ab(). \n"
_KEY = re.compile(r"\n *| +|\(\)|.", re.DOTALL)


class Typist(RuleBasedStateMachine):
    """One user, and beside the tracker a plain account of what that user did with the suggestion on show."""

    def __init__(self) -> None:
        super().__init__()
        self.editor = Editor("a\nb = (\n\n)", 6)
        self.text = ""
        self.how: list[str] = []
        self.visible_s = 0.0
        self.shown = self.accepted = False
        self.row_id: int | None = None

    @property
    def reached(self) -> int:
        return len(self.how)

    @rule(text=st.text(_CHARACTERS, min_size=1, max_size=12))
    def offer(self, text: str) -> None:
        """Another suggestion than any before: each begins with a number of its own."""
        self.leave()
        known = set(self.editor.rows.by_id)
        self.text = f"{len(known)}:{text}"
        self.how, self.shown, self.accepted, self.visible_s = [], False, False, 0.0
        self.editor.offer(self.text)
        (self.row_id,) = set(self.editor.rows.by_id) - known

    @precondition(lambda self: self.text)
    @rule()
    def offer_the_rest(self) -> None:
        known = len(self.editor.rows.by_id)
        self.editor.offer(self.text[self.reached :])
        assert len(self.editor.rows.by_id) == known

    @precondition(lambda self: self.text)
    @rule(length=st.integers(1, 14), spelling=st.sampled_from(SPELLINGS))
    def take(self, length: int, spelling: str) -> None:
        piece = self.text[self.reached : self.reached + length]
        by_key = bool(_KEY.fullmatch(piece))
        ends = self.reached + len(piece) == len(self.text)
        if by_key and ends and len(piece) == 1 and self.how[-1:] == ["accepted"]:
            by_key = False
        self.how += ["typed" if by_key else "accepted"] * len(piece)
        self.shown |= not by_key
        self.accepted |= ends and not by_key
        self.editor.insert(piece, spelling=spelling)
        if ends:
            self.leave()

    @precondition(lambda self: self.text)
    @rule()
    def type_something_else(self) -> None:
        self.editor.insert("#")
        self.leave()

    @precondition(lambda self: self.text)
    @rule()
    def edit_far_away(self) -> None:
        self.editor.tracker.requested(self.editor.uri, 10**6)
        self.leave()

    @rule(seconds=st.sampled_from([0.01, 0.1, 0.2, 1.0]))
    def wait(self, seconds: float) -> None:
        self.editor.wait(seconds)
        self.visible_s += seconds

    def leave(self) -> None:
        """The suggestion goes off the screen: compare."""
        if not self.text:
            return
        self.editor.tracker.requested(self.editor.uri, 10**6)
        row = self.editor.rows.by_id[self.row_id]
        assert row.characters == len(self.text)
        assert row.accepted == self.accepted
        assert row.accepted_characters == self.how.count("accepted")
        assert row.typed_characters == self.how.count("typed")
        if abs(self.visible_s - SEEN_AFTER_S) > 1e-6:
            assert row.shown == (self.shown or self.visible_s > SEEN_AFTER_S)
        self.text = ""

    def teardown(self) -> None:
        self.leave()


TestTypist = pytest.mark.slow(Typist.TestCase)
TestTypist.settings = settings(max_examples=150, stateful_step_count=30, deadline=None)


class Chaos(RuleBasedStateMachine):
    """Anything in any order, from editors that do not keep to the protocol."""

    def __init__(self) -> None:
        super().__init__()
        self.editor = Editor("def f(a):\n    return ")
        self.items: list[str] = ["unknown"]

    @rule(
        texts=st.lists(st.text(_CHARACTERS + "🙂", min_size=1, max_size=9), min_size=1, max_size=3),
        replaced=st.integers(0, 3),
        trigger=st.sampled_from(["automatic", "invoked", "panel"]),
    )
    def offer(self, texts: list[str], replaced: int, trigger: str) -> None:
        self.items += self.editor.offer(*texts, replaced=replaced, trigger=trigger)

    @rule(
        start=st.integers(0, 60),
        length=st.integers(0, 9),
        text=st.text(_CHARACTERS + "🙂", max_size=9),
        spelling=st.sampled_from(SPELLINGS),
    )
    def edit(self, start: int, length: int, text: str, spelling: str) -> None:
        start = min(start, len(self.editor.text))
        self.editor.edit(start, min(start + length, len(self.editor.text)), text, spelling)

    @rule(data=st.data(), length=st.integers(-2, 30))
    def report(self, data: st.DataObject, length: int) -> None:
        item = data.draw(st.sampled_from(self.items))
        tracker = self.editor.tracker
        name = data.draw(st.sampled_from(["shown", "accepted", "dismissed", "partly"]))
        if name == "partly":
            tracker.partly_accepted(item, length)
        else:
            getattr(tracker, name)(item)

    @rule(position=st.integers(0, 70))
    def request(self, position: int) -> None:
        self.editor.tracker.requested(self.editor.uri, position)

    @rule()
    def close(self) -> None:
        self.editor.tracker.closed(self.editor.uri)

    @rule(seconds=st.sampled_from([0.1, 1, 31, 400]))
    def wait(self, seconds: float) -> None:
        self.editor.wait(seconds)

    @invariant()
    def counts_are_those_of_the_rows(self) -> None:
        rows = self.editor.rows.by_id.values()
        shown, accepted = sum(row.shown for row in rows), sum(row.accepted for row in rows)
        assert self.editor.tracker.counts == SuggestionCounts(len(rows), shown, accepted)

    @invariant()
    def rows_add_up(self) -> None:
        for row in self.editor.rows.by_id.values():
            assert row.accepted_characters >= 0
            assert row.typed_characters >= 0
            assert row.accepted_characters + row.typed_characters <= row.characters
            assert row.shown >= (row.accepted or row.accepted_characters > 0)
            assert row.accepted <= (row.accepted_characters > 0)
            if row.kept_30_s is not None or row.kept_300_s is not None:
                assert row.accepted_characters > 0


TestChaos = pytest.mark.slow(Chaos.TestCase)
TestChaos.settings = settings(max_examples=150, stateful_step_count=30, deadline=None)
