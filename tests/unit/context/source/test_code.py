"""Lines of code around a cursor."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from copilot_server.context.document import Cursor, Document
from copilot_server.context.source import code as code_module
from copilot_server.context.source.code import Code

PIECES = st.lists(st.sampled_from(['"""', "'''", "'", "\n", "\\", "#", "a", "(", "\r\n"]), max_size=30)


@given(PIECES.map("".join), PIECES.map("".join), st.integers(0, 60))
def test_the_beginning_of_a_text_with_another_after_it_is_read_as_they_are_together(
    text: str, following: str, end: int
):
    end = min(end, len(text))
    together = Code.at(Cursor(Document("", "python", text[:end] + following), end))
    assert Code.begun(text, end, following) == together


def test_a_deep_document_is_searched_for_a_reset_once(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "".join(f"{' ' * depth}if 1:\n" for depth in range(60))
    code, searched = Code(text, len(text), (), ()), list[int]()
    search = Code._last_outside_strings

    def counted(self: Code, pattern: re.Pattern[str], end: int) -> int | None:
        searched.extend([end] if pattern is code_module._LAST_RESET else [])
        return search(self, pattern, end)

    monkeypatch.setattr(Code, "_last_outside_strings", counted)
    found, start = [], code.line_left_of(60, len(text))
    while start is not None:
        found.append(code.column(start))
        start = code.line_left_of(code.column(start), start)
    assert found == list(range(59, -1, -1))
    assert len(searched) < 20  # once for each block otherwise
