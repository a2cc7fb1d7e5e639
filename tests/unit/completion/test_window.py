"""Which part of a document the model reads, and how long its beginning stays the same."""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Iterator
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from copilot_server.completion.window import Pinned, Window, take_window
from copilot_server.context.document import Cursor, Document
from tests.support.cursor_text import cursor_in

SOURCE = Path(argparse.__file__).read_text("utf-8")


def words(text: str) -> int:
    """A tokenizer for these tests: a token a word, and one a line end."""
    return len(text.split()) + text.count("\n")


def quarters(text: str) -> int:
    """A token for every 4 characters, about as in code."""
    return -(-len(text) // 4)


def window_of(text: str, budget: int, pinned: tuple[Pinned, ...] = ()) -> tuple[str, str]:
    window = take_window(cursor_in(text), pinned, budget, words)
    return window.prefix, window.suffix


def test_a_document_that_fits_is_read_whole():
    assert window_of("a\nb‸c\nd\n", 100) == ("a\nb", "c\nd\n")


def test_the_nearest_whole_lines_are_kept():
    text = "".join(f"before {i}\n" for i in range(50)) + "x ‸y\n" + "".join(f"after {i}\n" for i in range(50))
    prefix, suffix = window_of(text, 40)
    assert prefix.endswith("before 48\nbefore 49\nx ")
    assert prefix.startswith("before ")
    assert suffix.startswith("y\nafter 0\n")
    assert suffix.endswith("\n")
    assert words(prefix) + words(suffix) <= 40
    assert words(prefix) > 15  # most of what the suffix leaves is used


def test_pinned_lines_stand_on_top_only_when_they_are_out_of_reach():
    pinned = (Pinned(20, "class A:\n"), Pinned(0, "import os\n"))
    text = "import os\n\n\n" + "#" * 8 + "class A:\n" + "    filler\n" * 50 + "‸"
    assert window_of(text, 40, pinned)[0].startswith("import os\nclass A:\n    filler\n")
    assert "import os" not in window_of(text, 40)[0]
    assert window_of("import os\n‸", 40, pinned)[0] == "import os\n"
    near = "import os\n" + "filler\n" * 50 + "class A:\n    ‸"
    pinned = (Pinned(near.index("class"), "class A:\n"), Pinned(0, "import os\n"))
    assert window_of(near, 40, pinned)[0].count("class A:\n") == 1


def test_of_pinned_lines_the_most_important_come_first():
    pinned = tuple(Pinned(10 - i, f"pinned {i}\n") for i in range(9))
    prefix, _ = window_of("\n" * 20 + "filler\n" * 50 + "‸", 40, pinned)
    assert prefix.startswith("pinned 2\npinned 1\npinned 0\nfiller\n")


@given(before=st.text(), after=st.text(), budget=st.integers(8, 60))
def test_a_window_is_within_budget_and_touches_the_cursor(before: str, after: str, budget: int):
    cursor = Cursor(Document("file:///a.py", "python", before + after), len(before))
    window = take_window(cursor, (), budget, len)  # a token a character, the worst case
    assert len(window.prefix) + len(window.suffix) <= budget
    assert before.endswith(window.prefix)
    assert after.startswith(window.suffix)
    assert before[window.start :] == window.prefix
    assert "\n" not in window.line


def test_a_line_too_long_to_fit_is_cut_near_the_cursor():
    assert window_of("x" * 999 + " near ‸", 40)[0] == "x" * 34 + " near "
    assert window_of("x" * 999 + "near\n‸", 40)[0].endswith("xnear\n")


def typed(start_line: int, count: int) -> Iterator[Window]:
    """The windows while lines of a long file are typed key by key, what follows them being there."""
    lines = SOURCE.splitlines(keepends=True)
    before, after = "".join(lines[:start_line]), "".join(lines[start_line + count :])
    written = "".join(lines[start_line : start_line + count]).rstrip("\n")
    for end in range(len(written) + 1):
        document = Document("file:///a.py", "python", f"{before}{written[:end]}\n{after}")
        yield take_window(Cursor(document, len(before) + end), (), 512, quarters)


def test_typing_changes_nothing_above_the_line_and_nothing_below():
    moves = 0
    for older, newer in itertools.pairwise(typed(1000, 60)):
        assert newer.suffix == older.suffix
        if newer.start == older.start:
            assert (newer.above + newer.line).startswith(older.above)
            assert newer.above in (older.above, older.above + older.line + "\n")
        moves += newer.start != older.start
    assert 1 <= moves <= 6  # it does move on, but far less often than every line


def test_a_window_moves_by_about_a_quarter():
    starts = sorted({window.start for window in typed(1000, 120)})
    moved = [quarters(SOURCE[earlier:later]) for earlier, later in itertools.pairwise(starts)]
    assert len(moved) > 4
    assert 0.2 <= sum(moved) / len(moved) / 512 <= 0.3


def test_long_tokens_move_the_anchors_closer():
    text = "".join(f"x{i}\n" for i in range(3000))
    window = take_window(Cursor(Document("file:///a.py", "python", text), len(text)), (), 512, len)
    assert len(window.above) > 512 * 0.4
