"""Where the first stop text begins."""

from __future__ import annotations

import pytest

from copilot_server.engine.decoding.stops import first_stop


@pytest.mark.parametrize(
    ("text", "stops", "index"),
    [
        ("return x\n```\n", ["\n```"], 8),
        ("a;b,c", [",", ";"], 1),
        ("abc", ["abcd"], None),
        ("abc", [], None),
        ("", ["a"], None),
        ("aab", ["ab", "aab"], 0),
    ],
)
def test_the_first_of_all_stop_texts_counts(text: str, stops: list[str], index: int | None):
    assert first_stop(text, stops) == index
