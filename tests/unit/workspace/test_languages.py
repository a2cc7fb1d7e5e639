"""The languages that are indexed."""

from __future__ import annotations

import pytest

from copilot_server.workspace.languages import (
    SUFFIXES,
    read_bytes,
    read_names,
    read_names_of_bytes,
    summarize,
)
from copilot_server.workspace.names import FileNames
from copilot_server.workspace.summary import FileSummary


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_every_language_reads_any_text(suffix: str):
    for text in ("", "\0", "def f(a): ...\n", "(" * 999):
        assert isinstance(summarize(f"/a.b/c{suffix}", text), FileSummary)
        assert isinstance(read_names(f"/a.b/c{suffix}", text), FileNames)


def test_bytes_of_any_encoding():
    summary, (window,) = read_bytes("a.py", b"\xef\xbb\xbffirst = 1\n# \xff")
    assert [one.name for one in summary.definitions] == ["first"]
    assert window.terms == {"first"}
    assert read_bytes("a.py", b"f = 1\n\0") == (FileSummary(), ())
    assert list(read_names_of_bytes("a.py", b"\xef\xbb\xbff = 1\n# \xff").bindings) == ["f"]
    assert read_names_of_bytes("a.py", b"f = 1\n\0").is_open


def test_a_language_of_which_no_definitions_are_read_has_windows():
    summary, windows = read_bytes("a.lua", b"local first = 1")
    assert summary == FileSummary()
    assert len(windows) == 1
