"""What stands before and after a cursor, whatever ends the lines."""

from __future__ import annotations

import pytest

from tests.support.cursor_text import cursor_in


@pytest.mark.parametrize(
    ("text", "before", "after"),
    [
        ("‸", "", ""),
        ("a b‸ c", "a b", " c"),
        ("one\ntwo ‸three\nfour", "two ", "three"),
        ("one\r\ntwo ‸three\r\nfour", "two ", "three"),
        ("one\rtwo ‸three\rfour", "two ", "three"),
        ("one\n‸\nfour", "", ""),
        ("one\r‸\n", "", ""),
        ("é😀‸中\n", "é😀", "中"),
    ],
)
def test_the_cursors_line(text: str, before: str, after: str):
    cursor = cursor_in(text)
    assert (cursor.line_prefix, cursor.line_suffix) == (before, after)
    assert (cursor.prefix, cursor.suffix) == tuple(text.split("‸"))
