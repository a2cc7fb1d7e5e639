"""Lines of code around a cursor."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from copilot_server.context.document import Cursor, Document
from copilot_server.context.source.code import Code

PIECES = st.lists(st.sampled_from(['"""', "'''", "'", "\n", "\\", "#", "a", "(", "\r\n"]), max_size=30)


@given(PIECES.map("".join), PIECES.map("".join), st.integers(0, 60))
def test_the_beginning_of_a_text_with_another_after_it_is_read_as_they_are_together(
    text: str, following: str, end: int
):
    end = min(end, len(text))
    together = Code.at(Cursor(Document("", "python", text[:end] + following), end))
    assert Code.begun(text, end, following) == together
