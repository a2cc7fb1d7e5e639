"""Lengths in the units of an encoding."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from copilot_server.context.units import code_points_in, units_of

ENCODINGS = ("utf-8", "utf-16", "utf-32")
TEXTS = st.text(st.sampled_from("aé\u3042\U0001f600\ud800\udc00"), max_size=12)


@pytest.mark.parametrize(
    ("text", "lengths"),
    [
        ("", (0, 0, 0)),
        ("abc", (3, 3, 3)),
        ("é", (2, 1, 1)),
        ("\u3042", (3, 1, 1)),
        ("\U0001f600", (4, 2, 1)),
        ("\ud800", (3, 1, 1)),
    ],
)
def test_the_length_of_a_text(text: str, lengths: tuple[int, int, int]):
    assert tuple(units_of(text, encoding) for encoding in ENCODINGS) == lengths


def test_a_code_point_that_is_cut_does_not_count():
    assert [code_points_in("a\U0001f600b", units) for units in range(-1, 6)] == [0, 0, 1, 1, 2, 3, 3]
    assert [code_points_in("éa", units, "utf-8") for units in range(4)] == [0, 0, 1, 2]


def test_a_lone_surrogate_counts_as_one():
    assert [code_points_in("\ud800a\U0001f600", units) for units in range(5)] == [0, 1, 2, 2, 3]
    assert code_points_in("\udc00", 1) == 1


@given(TEXTS, st.sampled_from(ENCODINGS))
def test_the_two_agree(text: str, encoding: str):
    ends = [units_of(text[:count], encoding) for count in range(len(text) + 1)]
    if encoding != "utf-16" or "\ud800\udc00" not in text:  # a pair of two is one in UTF-16
        assert [code_points_in(text, end, encoding) for end in ends] == list(range(len(text) + 1))
    assert code_points_in(text, ends[-1] + 1, encoding) == len(text)
