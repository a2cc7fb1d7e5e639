"""Drafts: where the text stood before, and what followed there."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from copilot_server.engine.decoding.drafts import Drafter, PairIndex

CONTROL = 99


def drafted(drafter: Drafter, written: list[int], most: int) -> list[int]:
    """A draft that is as long as the match, but has no more than ``most`` tokens."""
    return drafter.draft(written, lambda matched: min(most, matched))


def index_of(*token_ids: int) -> PairIndex:
    index = PairIndex([CONTROL])
    index.extend(token_ids)
    return index


def slow_match(tokens: list[int]) -> int:
    """The length of the longest earlier end like the whole text's end that something follows."""
    lengths = [0]
    for index in range(1, len(tokens) - 1):
        length = 0
        while length <= index and tokens[index - length] == tokens[len(tokens) - 1 - length]:
            length += 1
        barred = CONTROL in (tokens[index + 1], *tokens[index - 1 : index + 1])
        lengths.append(0 if length < 2 or barred else length)
    return min(max(lengths), PairIndex.LONG)


def test_the_longest_match_wins_and_then_the_latest():
    index = index_of(1, 2, 3, 7, 2, 3, 8, 5, 2, 3, 9, 1, 2, 3)
    assert index.longest_match() == (2, 3)
    assert index.following(2, 2) == [7, 2]
    latest = index_of(2, 3, 7, 2, 3, 8, 4, 2, 3)
    assert latest.longest_match() == (4, 2)
    assert latest.following(4, 9) == [8, 4, 2, 3, 8, 4, 2, 3, 8]  # past the end, it repeats


def test_a_single_token_is_no_match():
    assert index_of(1, 2, 3, 2).longest_match()[1] == 0
    assert index_of(1, 2, 3, 1, 2).longest_match() == (1, 2)
    assert index_of().longest_match()[1] == index_of(1).longest_match()[1] == 0


def test_no_match_and_no_draft_has_a_control_token_in_it():
    assert index_of(CONTROL, 1, 5, CONTROL, 1).longest_match()[1] == 0
    assert index_of(4, 1, 5, 4, 1).longest_match()[1] == 2
    assert index_of(4, 1, 5, CONTROL, 6).following(1, 9) == [5]
    assert index_of(4, 1, CONTROL, 6, 4, 1).longest_match()[1] == 0  # nothing to draft from there


@given(st.lists(st.sampled_from([1, 2, 3, CONTROL]), max_size=60), st.lists(st.integers(0, 60), max_size=3))
def test_matches_are_the_longest_there_are(tokens: list[int], cuts: list[int]):
    index = PairIndex([CONTROL])
    start = 0
    for cut in (*sorted(cuts), len(tokens)):  # grown piece by piece or at once, it is the same
        index.extend(tokens[start:cut])
        start = max(start, cut)
    found, length = index.longest_match()
    assert length == slow_match(tokens) or len(tokens) > PairIndex.MAX_POSITIONS
    if length:
        assert tokens[found + 1 - length : found + 1] == tokens[-length:]


def test_a_draft_is_what_followed_and_as_long_as_is_worthwhile_after_such_a_match():
    drafter = Drafter([1, 2, 3, 4, 5, 6, 7, 8, 9], [], [CONTROL])
    assert drafted(drafter, [1], 8) == []
    assert drafted(drafter, [1, 2], 8) == [3, 4]
    assert drafted(drafter, [1, 2, 3, 4], 8) == [5, 6, 7, 8]
    assert drafted(drafter, [1, 2, 3, 4], 3) == [5, 6, 7]
    assert drafter.matched == 4
    assert drafter.draft([1, 2, 3, 4], lambda _: 0) == []


def test_texts_beside_the_prompt_are_drafted_from_and_the_prompt_goes_first():
    drafter = Drafter([1, 2, 3], [[1, 2, 8], [5, 6, 7]], [CONTROL])
    assert drafted(drafter, [5, 6], 8)[:1] == [7]
    assert drafted(drafter, [5, 6, 1, 2], 8)[:1] == [3]
    assert drafted(Drafter([1, 2, 3], [], [CONTROL]), [5, 6], 8) == []
    # No match runs from one text into the next.
    assert drafted(Drafter([1, 2], [[3, 4]], [CONTROL]), [4, 1], 8) == []


def test_an_infilling_goes_on_from_the_prefix_though_the_suffix_stands_between():
    suffix, middle = 97, 98
    controls = [CONTROL, suffix, middle]
    prefix = [1, 2, 3, 4, 5, 6, 1, 2]
    drafter = Drafter([CONTROL, *prefix, suffix, 7, 8, middle], [], controls)
    assert drafted(drafter, [], 8) == [3, 4]
    begun = Drafter([CONTROL, *prefix, suffix, 7, 8, middle, 3], [], controls)
    assert drafted(begun, [], 8) == [4, 5, 6]
    causal = Drafter([*prefix, suffix, 7, 8, middle], [], controls)
    assert drafted(causal, [], 8) == []


def test_there_are_pauses_after_drafts_that_are_all_wrong():
    drafter = Drafter([1, 2, 3, 1, 2], [], [CONTROL])

    def tokens_until_the_next_draft() -> int:
        count = 0
        while not drafted(drafter, [], 8):
            count += 1
        return count

    pauses = []
    for _ in range(8):
        pauses.append(tokens_until_the_next_draft())
        drafter.record(right=0)
    assert pauses == [0, 0, 1, 2, 4, 8, 16, 16]
    tokens_until_the_next_draft()
    drafter.record(right=1)
    assert tokens_until_the_next_draft() == 0
