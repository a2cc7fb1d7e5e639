"""When a text repeats itself for ever."""

from __future__ import annotations

import pytest

from copilot_server.completion.scope.loop import is_endless


@pytest.mark.parametrize("lines", [["a,"], ["a,", ""], ["f(x)", "g(x)", "if x:"]])
def test_six_rounds_are_a_loop_and_no_fewer(lines: list[str]):
    text = "x = 1\n" + "".join(f"{line}\n" for line in lines) * 6
    ends = [n for n in range(len(text) + 1) if is_endless(text[:n])]
    assert ends == [len(text)]


def test_rows_without_words_and_rows_that_differ_are_none():
    assert not is_endless("()\n" * 9)
    assert not is_endless("".join(f"{n}\n" for n in range(30)))
    assert is_endless("1\n" * 6)
