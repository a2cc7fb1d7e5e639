"""Triple-quoted strings: what is remembered of earlier texts changes no answer."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from copilot_server.context.source import strings
from copilot_server.context.source.strings import read_triple_quoted, triple_quoted
from tests.support.library_sources import SOURCES

QUOTES = st.sampled_from([*"\n\n\n'\"\\# a", '"""', "'''", "\\\n", "\\\r\n", "\r\n"])


quoted = st.lists(QUOTES, max_size=40).map("".join)
Edits = list[tuple[int, int, str]]
quoted_edits: st.SearchStrategy[Edits] = st.lists(
    st.tuples(st.integers(0, 999), st.integers(0, 9), st.lists(QUOTES, max_size=4).map("".join)), max_size=6
)


#: An edit that moves strings, and changes none.
THREE_STRINGS, INSERTED_BEFORE = '"""a"""\n"""b"""\n"""c"""\nx', [(0, 0, "y")]


def strings_of_each_version(text: str, edits: Edits) -> None:
    """The answers for each version of a text, at each position, are those of a parser that reads it anew."""
    for at, removed, inserted in [(0, 0, ""), *edits]:
        start = at % (len(text) + 1)
        text = text[:start] + inserted + text[start + removed :]
        for end in range(len(text) + 1):
            assert triple_quoted(text, end) == read_triple_quoted(text, 0, end)


@pytest.fixture
def _short_texts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take any text for a version of the last, even those of a few characters that are tried here."""
    monkeypatch.setattr(strings, "_COMPARED", 0)


@pytest.mark.usefixtures("_short_texts")
def test_what_was_read_before_an_edit_changes_nothing():
    strings_of_each_version(THREE_STRINGS, INSERTED_BEFORE)
    given(quoted, quoted_edits)(strings_of_each_version)()


@pytest.mark.usefixtures("_short_texts")
@pytest.mark.parametrize("mistake", ["keeps too much", "moves nothing"])
def test_a_mistake_in_what_is_kept_would_be_seen(mistake: str, monkeypatch: pytest.MonkeyPatch):
    if mistake == "keeps too much":
        monkeypatch.setattr(strings, "common_prefix", lambda one, other: min(len(one), len(other)))
    else:
        after = strings.Spans.after
        monkeypatch.setattr(strings.Spans, "after", lambda self, index, _: after(self, index, 0))
    with pytest.raises(AssertionError):
        strings_of_each_version(THREE_STRINGS, INSERTED_BEFORE)


@settings(max_examples=20)
@given(st.data())
def test_strings_of_a_real_file_follow_edits_anywhere(data: st.DataObject):
    text = data.draw(st.sampled_from(SOURCES))
    for _ in range(5):
        start = data.draw(st.integers(0, len(text)))
        removed, inserted = data.draw(st.integers(0, 300)), data.draw(quoted)
        text = text[:start] + inserted + text[start + removed :]
        for end in (start, len(text), data.draw(st.integers(0, len(text)))):
            assert triple_quoted(text, end) == read_triple_quoted(text, 0, end)
