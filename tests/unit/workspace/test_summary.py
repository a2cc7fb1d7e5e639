"""Summaries that are stored and read again."""

from __future__ import annotations

import pytest

from copilot_server.workspace.summary import Definition, FileSummary, Import

SUMMARY = FileSummary(
    (
        Definition(
            "A", "class", "class A(B):", "Doc.", "", ("B",), (Definition("f", "function", "def f():"),)
        ),
        Definition("é", "variable", "é = 1", type="int"),
    ),
    (Import(".a", "b", "c"), Import("d", "*", ""), Import("e", "c", "c")),
    ("A",),
)


@pytest.mark.parametrize("summary", [SUMMARY, FileSummary(), FileSummary(exports=())])
def test_a_summary_is_the_same_after_it_was_stored(summary: FileSummary):
    assert FileSummary.from_json(summary.to_json()) == summary


@pytest.mark.parametrize("text", ["", "[]", "{}", "[1,2,3]", "[[[1]],[],null]", "null", "[" * 100_000])
def test_other_texts_are_refused(text: str):
    with pytest.raises(ValueError, match="not the summary"):
        FileSummary.from_json(text)


def test_names_are_found():
    first = SUMMARY.definitions[0]
    assert SUMMARY.definition("A") is first
    assert first.member("f") is not None
    assert (SUMMARY.definition("b"), first.member("g")) == (None, None)
    assert [one.module for one in SUMMARY.imports_of("c")] == ["e", ".a"]
    assert [one.module for one in SUMMARY.star_imports] == ["d"]
