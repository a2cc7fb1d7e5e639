"""How files are split."""

from __future__ import annotations

from itertools import pairwise

from copilot_server.workspace.similar.windows import LEAST, MAX_MEAN_LINE, MOST, windows_of

FUNCTION = "def f{}(a):\n    x = a\n\n    y = x\n    return y\n\n\n"


def test_windows_are_all_lines_in_order():
    text = "".join(FUNCTION.format(number) for number in range(50))
    windows = windows_of(text)
    assert windows[0].first == 0
    assert windows[-1].end == len(text.splitlines())
    assert all(one.end == other.first for one, other in pairwise(windows))
    assert all(LEAST <= one.end - one.first <= MOST for one in windows[:-1])


def test_a_window_ends_before_a_definition_after_a_blank_line():
    lines = "".join(FUNCTION.format(number) for number in range(50)).splitlines()
    windows = windows_of("\n".join(lines))
    assert all(lines[one.first].startswith("def ") for one in windows)


def test_without_blank_lines_the_least_indented_line_begins_a_window():
    lines = [("" if at % 7 == 0 else "  ") + "x();" for at in range(200)]
    assert all(window.first % 7 == 0 for window in windows_of("\n".join(lines)))


def test_a_file_of_one_line_or_none():
    (only,) = windows_of("alpha")
    assert (only.first, only.end, only.terms) == (0, 1, {"alpha"})
    assert windows_of("") == ()


def test_what_nobody_wrote_by_hand_has_no_windows():
    line = "x" * MAX_MEAN_LINE + "\n"
    assert windows_of(line * 30) == ()
    assert len(windows_of(line[2:] * 30)) == 2
