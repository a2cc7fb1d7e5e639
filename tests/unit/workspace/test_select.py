"""The choice among candidates, and their order."""

from __future__ import annotations

from copilot_server.workspace.select import Candidate, Limits, append, select
from copilot_server.workspace.types import Snippet


def candidate(
    path: str,
    score: float,
    text: str,
    position: int = 0,
    *,
    is_called: bool = False,
    is_outside: bool = False,
) -> Candidate:
    return Candidate(
        (path, text),
        path,
        score,
        (path, position),
        lambda length: text if len(text) <= length else "",
        is_called,
        is_outside,
    )


LIMITS = Limits(total=20, stable=10, one=8, minor=4, part=4, reserve=5, threshold=1.0, major_score=2.0)


def texts(snippets: tuple[Snippet, ...]) -> list[str]:
    return [one.text for one in snippets]


def test_the_highest_scores_are_chosen_in_the_order_of_their_files():
    found = select([candidate("b", 3, "bbbb"), candidate("a", 2, "aaaa"), candidate("c", 4, "cc")], LIMITS)
    assert texts(found) == ["aaaa", "bbbb", "cc"]
    assert [one.score for one in found] == [2, 3, 4]
    more = [candidate("b", 3, "bbbb"), candidate("a", 2, "aaaa"), candidate("c", 4, "cccc")]
    assert texts(select(more, LIMITS)) == ["bbbb", "cccc"]


def test_low_scores_and_duplicates_are_left_out():
    twice = candidate("a", 2, "a")
    assert texts(select([twice, twice, candidate("b", 0.9, "b")], LIMITS)) == ["a"]


def test_what_scores_little_must_be_short():
    assert texts(select([candidate("a", 1, "aaaaa"), candidate("b", 1, "bbbb")], LIMITS)) == ["bbbb"]
    assert texts(select([candidate("a", 2, "aaaaa")], LIMITS)) == ["aaaaa"]


def test_the_line_adds_in_its_order_what_is_not_shown_yet():
    chosen = (Snippet("a", "aaaa", 2),)
    line = [
        candidate("c", 4, "cc"),
        candidate("a", 4, "aaaa"),
        candidate("b", 4, "bb"),
        candidate("b", 4, "bb"),
    ]
    assert append(chosen, line, LIMITS) == (Snippet("c", "cc", 4, False), Snippet("b", "bb", 4, False))


def test_room_is_kept_for_what_is_called():
    chosen = (Snippet("a", "a" * 12, 2),)
    line = [candidate("b", 4, "bbb"), candidate("c", 4, "c"), candidate("d", 4, "ddddd", is_called=True)]
    assert texts(append(chosen, line, LIMITS)) == ["bbb", "ddddd"]
    assert texts(append((), [candidate("b", 0.5, "b", is_called=True)], LIMITS)) == []


def test_what_is_not_of_the_workspace_comes_after_what_is_worth_as_much():
    own = candidate("b", 2, "bbbbbb")
    for is_outside, chosen in ((False, "aaaaaa"), (True, "bbbbbb")):
        assert texts(select([candidate("a", 2, "aaaaaa", is_outside=is_outside), own], LIMITS)) == [chosen]


def test_no_room_that_is_kept_is_given_to_what_is_not_of_the_workspace():
    chosen = (Snippet("a", "a" * 12, 2),)
    for is_outside, added in ((False, ["ddddd"]), (True, [])):
        line = [candidate("d", 4, "ddddd", is_called=True, is_outside=is_outside)]
        assert texts(append(chosen, line, LIMITS)) == added
