"""The languages that are indexed."""

from __future__ import annotations

import pytest

from copilot_server.workspace.languages import (
    SUFFIXES,
    UNREAD,
    Content,
    read,
    read_bytes,
    read_names,
    summarize,
)
from copilot_server.workspace.names import FileNames
from copilot_server.workspace.summary import FileSummary


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_every_language_reads_any_text(suffix: str):
    for text in ("", "\0", "def f(a): ...\n", "(" * 999):
        found = read(f"/a.b/c{suffix}", text)
        assert isinstance(found, Content)
        assert found.summary == summarize(f"/a.b/c{suffix}", text)
        assert found.names == read_names(f"/a.b/c{suffix}", text)


def test_bytes_of_any_encoding():
    found = read_bytes("a.py", b"\xef\xbb\xbffirst = 1\n# \xff")
    assert [one.name for one in found.summary.definitions] == ["first"]
    assert list(found.names.bindings) == ["first"]
    assert [window.terms for window in found.windows] == [{"first"}]
    assert not found.names.is_open
    assert read_bytes("a.py", b"f = 1\n\0") == UNREAD
    assert UNREAD.names.is_open


def test_a_language_of_which_no_definitions_are_read_has_windows():
    found = read_bytes("a.lua", b"local first = 1")
    assert found.summary == FileSummary()
    assert found.names == FileNames()
    assert len(found.windows) == 1
