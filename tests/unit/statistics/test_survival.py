"""Whether accepted text is found again, against a plain search for the nearest run."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rapidfuzz.distance import Levenshtein

from copilot_server.statistics.survival import MARGIN, infix_distance, still_there

# One-letter lexemes but for one, so that parts of words are met too.
_LEXEMES = st.lists(st.sampled_from(["a", "b", "c", "ab"]), max_size=9)


def nearest_run(needle: list[str], haystack: list[str]) -> int:
    runs = [haystack[i:j] for i in range(len(haystack) + 1) for j in range(i, len(haystack) + 1)]
    return min(Levenshtein.distance(needle, run) for run in runs)


@given(_LEXEMES, _LEXEMES)
def test_it_is_the_distance_to_the_nearest_run(needle: list[str], haystack: list[str]):
    # With markers at its ends the needle's first and last lexeme are no part of a word.
    needle, haystack = ["<", *needle, ">"], ["<", *haystack, ">"]
    assert infix_distance(needle, haystack) == nearest_run(needle, haystack)


@given(_LEXEMES, _LEXEMES)
def test_parts_of_words_only_bring_it_nearer(needle: list[str], haystack: list[str]):
    assert infix_distance(needle, haystack) <= nearest_run(needle, haystack)


def test_the_ends_may_be_parts_of_words():
    assert infix_distance(["end", "(", "x"], ["append", "(", "xs"]) == 0
    assert infix_distance(["end", "(", "x"], ["append", "[", "xs"]) == 1
    assert infix_distance(["end", "(", "x"], ["appends", "(", "sx"]) == 2


def test_more_lexemes_than_a_machine_word_has_bits():
    needle = [str(n) for n in range(500)]
    assert infix_distance(needle, ["x", *needle[:200], "y", *needle[201:]]) == 1


CODE = "total = sum(values)\nreturn total / len(values)"


@pytest.mark.parametrize(
    ("document", "kept"),
    [
        (CODE, True),
        (CODE.replace("total", "result"), True),
        (CODE.replace("\n", "\n        "), True),
        (CODE + "\n# and more", True),
        ("return 0", False),
        ("", False),
    ],
)
def test_edited_a_little_it_is_there_and_rewritten_it_is_not(document: str, kept: bool):
    before = "def mean(values):\n    "
    assert still_there(before + document, len(before), CODE) == kept


def test_it_is_looked_for_nearby_alone():
    for far, kept in ((MARGIN - 1, True), (2 * MARGIN + len(CODE), False)):
        assert still_there("." * far + CODE, 0, CODE) == kept


def test_blanks_alone_are_always_there():
    assert still_there("x", 0, "\n    ")
