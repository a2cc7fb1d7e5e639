"""What of a growing text can be sent while a stop text may still take some of it back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from copilot_server.engine.decoding.stops import first_stop
from copilot_server.host.stopping import settled


@pytest.mark.parametrize(
    ("text", "stops", "expected"),
    [
        ("a = 1", (), "a = 1"),
        ("a = 1\n", ("\n\n",), "a = 1"),
        ("a = 1\nd", ("\ndef", "\nclass"), "a = 1"),
        ("a = 1\nb", ("\ndef", "\nclass"), "a = 1\nb"),
        ("\n", ("\n\n",), ""),
        ("", ("\n",), ""),
    ],
)
def test_the_beginning_of_a_stop_text_is_held_back(text: str, stops: tuple[str, ...], expected: str):
    assert settled(text, stops) == expected


@given(st.text("ab\n", max_size=12), st.lists(st.text("ab\n", min_size=1, max_size=4), max_size=3))
def test_what_was_sent_is_part_of_the_whole_answer(text: str, stops: list[str]):
    whole = text[: first_stop(text, stops)]
    for length in range(len(text)):
        grown = text[:length]
        sent = settled(grown[: first_stop(grown, stops)], stops)
        assert whole.startswith(sent)
