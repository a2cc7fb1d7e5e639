"""The line that results from a suggestion."""

from __future__ import annotations

import pytest

from copilot_server.evaluation.repository.lines import next_word, resulting_rest


@pytest.mark.parametrize(
    ("text", "replaced", "suffix", "rest"),
    [
        ("a, b", 0, ")", "a, b)"),
        ("a, b)", 1, ")", "a, b)"),
        ("a).c", 1, ")", "a).c"),
        ("a", 0, "", "a"),
        ("a  ", 0, "", "a"),
        ("a:\n    b", 0, ")", "a:"),  # what follows the cursor goes after the last line
        ("", 0, ")", ")"),
    ],
)
def test_the_rest_of_the_line_after_accepting(text: str, replaced: int, suffix: str, rest: str):
    assert resulting_rest(text, replaced, suffix) == rest


@pytest.mark.parametrize(
    ("suggested", "rest", "word"),
    [
        ("name, other", "name)", "name"),
        (" name", " name", " name"),
        ("names", "name", ""),
        ("name", "names", ""),
        ("(x)", "(y)", "("),
        ("))", ")", ""),
        ("", "x", ""),
        ("\nname", "name", ""),
    ],
)
def test_a_word_is_accepted_where_it_is_right(suggested: str, rest: str, word: str):
    assert next_word(suggested, rest) == word
