"""The smallest edit between two texts."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from copilot_server.statistics.text import minimal_edit
from copilot_server.statistics.types import PlainEdit


@given(st.text("ab\n", max_size=12), st.text("ab\n", max_size=12))
def test_the_minimal_edit_is_one(before: str, after: str):
    edit = minimal_edit(before, after)
    assert before[: edit.start] + edit.text + before[edit.end :] == after
    if edit.text and edit.start < edit.end:
        assert edit.text[0] != before[edit.start]
        assert edit.text[-1] != before[edit.end - 1]


def test_offsets_count_from_where_the_text_begins():
    assert minimal_edit("abc", "aXc", start=10) == PlainEdit(11, 12, "X")
    assert minimal_edit("ab", "ab", start=10) == PlainEdit(12, 12, "")
