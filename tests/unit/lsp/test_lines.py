"""Lines kept up with edits are those of the text read anew, wherever an edit meets a line end."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lsprotocol import types

from copilot_server.lsp import lines as module
from copilot_server.lsp.lines import Lines
from tests.support.naive_document import ENCODINGS, line_starts, offset_of

#: Every line end and the halves of one, what str.splitlines takes for one, and one code point of each width.
PIECES = [*"ab\n\r\f\v\x1c\x85\u2028\x00é中😀", "\r\n", "\n\n\n", "\r\r"]
texts = st.lists(st.sampled_from(PIECES), max_size=40).map("".join)
edits = st.lists(st.tuples(st.integers(0, 999), st.integers(0, 999), texts), max_size=12)


def check(lines: Lines, text: str) -> None:
    assert lines.text == text
    assert lines.starts == line_starts(text)
    for offset in range(len(text) + 1):
        position = lines.position_at(offset, "utf-32")
        assert lines.starts[position.line] + position.character == offset


def follow(text: str, edits: list[tuple[int, int, str]]) -> None:
    lines = Lines(text)
    for *positions, inserted in edits:
        start, end = sorted(position % (len(text) + 1) for position in positions)
        before = lines.text
        edited = lines.edited(start, end, inserted)
        assert lines.text == before  # is left as it was
        text = text[:start] + inserted + text[end:]
        check(edited, text)
        lines = edited


@pytest.fixture(params=[(2, 4), (1, 1), (128, 256)])
def _blocks(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks so small that a text of some lines has many, and those that are served."""
    monkeypatch.setattr(module, "_BLOCK_LINES", request.param[0])
    monkeypatch.setattr(module, "_MOST_LINES", request.param[1])


@pytest.mark.usefixtures("_blocks")
def test_edited_lines_are_those_of_the_text_read_anew() -> None:
    given(texts, edits)(follow)()


#: Edits that make, join and part line ends.
AT_LINE_ENDS = [
    ("a\r\nb", 2, 2, "x"),  # parts a CRLF
    ("a\rx\nb", 2, 3, ""),  # joins one
    ("a\rb", 2, 2, "\n"),
    ("a\nb", 1, 1, "\r"),
    ("a\r", 2, 2, "\n"),
    ("a\r\n", 1, 2, ""),
    ("a\r\n", 2, 3, ""),
    ("\n", 0, 1, ""),
    ("", 0, 0, "\n"),
    ("a\nb\n", 4, 4, "c"),
    ("a\nb\nc", 0, 5, "x\r\ny"),
]


@pytest.mark.parametrize(("text", "start", "end", "inserted"), AT_LINE_ENDS)
def test_an_edit_at_a_line_end(text: str, start: int, end: int, inserted: str) -> None:
    follow(text, [(start, end, inserted)])


def follow_each(cases: Iterable[tuple[str, int, int, str]]) -> None:
    for text, start, end, inserted in cases:
        follow(text, [(start, end, inserted)])


@pytest.mark.parametrize("mistake", ["forgets the character before", "forgets the rest of the line"])
def test_a_mistake_in_the_lines_would_be_seen(mistake: str, monkeypatch: pytest.MonkeyPatch) -> None:
    find: Callable[..., module._Line] = Lines._line_around
    edited = Lines.edited

    def wrong(self: Lines, start: int, end: int, text: str) -> Lines:
        shift = 1 if mistake == "forgets the character before" else 0
        monkeypatch.setattr(Lines, "_line_around", lambda self, at: find(self, at + shift * (at < start)))
        kept = edited(self, start, end, text if shift else text.replace("\n", " "))
        monkeypatch.setattr(Lines, "_line_around", find)
        return Lines(self.text[:start] + text + self.text[end:], kept._blocks)

    monkeypatch.setattr(Lines, "edited", wrong)
    with pytest.raises(AssertionError):
        follow_each((*AT_LINE_ENDS, ("ab", 1, 1, "\n")))


@given(texts, st.integers(0, 50), st.integers(0, 60), st.sampled_from([*ENCODINGS]))
def test_a_position_is_where_counting_characters_finds_it(
    text: str, line: int, units: int, encoding: str
) -> None:
    assert Lines(text).offset_at(types.Position(line, units), encoding) == offset_of(
        text, line, units, encoding
    )


@given(texts, st.sampled_from([*ENCODINGS]))
def test_the_position_of_an_offset_leads_back_to_it(text: str, encoding: str) -> None:
    lines = Lines(text)
    for offset in range(len(text) + 1):
        if text[offset - 1 : offset + 1] != "\r\n":  # no position is inside of a CRLF
            assert lines.offset_at(lines.position_at(offset, encoding), encoding) == offset


def test_an_edit_of_a_long_text_shares_its_blocks() -> None:
    lines = Lines("line\n" * 10_000)
    edited = lines.edited(25_000, 25_000, "x\ny")
    shared = {id(block) for block in lines._blocks} & {id(block) for block in edited._blocks}
    assert len(shared) >= len(lines._blocks) - 2
    assert edited.starts == line_starts(edited.text)


def test_blocks_stay_neither_small_nor_large() -> None:
    lines = Lines("")
    for _ in range(3000):  # typing line by line at one position
        lines = lines.edited(len(lines.text) // 2, len(lines.text) // 2, "\n")
    assert max(len(block.lengths) for block in lines._blocks) <= module._MOST_LINES
    while len(lines.text) > 10:
        lines = lines.edited(5, 6, "")
    assert len(lines._blocks) <= 2
