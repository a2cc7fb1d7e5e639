"""What two texts have in common at their ends."""

from __future__ import annotations

from itertools import takewhile

from hypothesis import given
from hypothesis import strategies as st

from copilot_server.context.common import common_prefix, common_suffix

PIECES, COUNTS = st.text("ab"), st.integers(0, 400)
TEXTS = st.builds(lambda piece, count, end: piece * count + end, PIECES, COUNTS, st.text("abc"))


def plain_count(one: str, other: str) -> int:
    pairs = zip(one, other, strict=False)
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))


@given(TEXTS, TEXTS)
def test_both_ends_equal_the_plain_count(one: str, other: str):
    assert common_prefix(one, other) == plain_count(one, other)
    assert common_suffix(one, other) == plain_count(one[::-1], other[::-1])


def test_a_suffix_is_counted_up_to_a_limit():
    assert common_suffix("xabc", "yabc") == 3
    assert common_suffix("xabc", "yabc", most=2) == 2
