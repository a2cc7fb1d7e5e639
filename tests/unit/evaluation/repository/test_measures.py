"""The measures of answers, and the features of cursors."""

from __future__ import annotations

from dataclasses import replace

import pytest

from copilot_server.evaluation.repository.measures import features, outcome
from copilot_server.evaluation.repository.types import Answer, Asked, Outcome
from tests.support.repositories import task_at

CALL = task_at("size = 3\nvalue = area(‸\n", "size, unit)", kept=")")
BLOCK = task_at("if x:\n    ‸\nelse:\n    y()\n", "first()\n    second()", kind="block")


def answered(text: str, replaced: int = 0) -> Answer:
    return Answer(bool(text), text, replaced, -0.2, 3, "fim", "stop", Asked(1.0, "model"))


@pytest.mark.parametrize(
    ("text", "replaced", "exact"),
    [
        ("size, unit", 0, True),
        ("size, unit  ", 0, False),  # the closer follows the blanks
        ("size, unit)", 1, True),
        ("size, unit)", 0, False),
        ("size", 0, False),
        ("size, unit)\nmore()", 1, True),
        ("", 0, False),
    ],
)
def test_the_line_that_results_is_compared(text: str, replaced: int, exact: bool):
    assert outcome(CALL, answered(text, replaced), "off").exact == exact


def test_blanks_at_the_end_of_the_line_do_not_count():
    task = task_at("x = ‸\n", "value  ")
    assert outcome(task, answered("value "), "off").exact


def test_similarity_is_of_the_first_line_and_of_all():
    found = outcome(BLOCK, answered("first()\n    third()"), "on")
    assert found.exact
    assert found.context == "on"
    assert found.similarity == 1.0
    assert 0.5 < found.similarity_all < 1.0
    assert outcome(BLOCK, answered("first()\n    second()"), "on").similarity_all == 1.0


def test_nothing_is_like_nothing():
    found = outcome(CALL, answered(""), "off")
    assert (found.exact, found.similarity, found.similarity_all) == (False, 0.0, 0.0)


@pytest.mark.parametrize(
    ("text", "comment"),
    [("# TODO: arguments", True), ("  # why", True), ("size  # why", False), ("'#'", False)],
)
def test_a_comment_after_an_open_bracket(text: str, comment: bool):
    assert outcome(CALL, answered(text), "off").comment_in_bracket == comment
    elsewhere = task_at("value = ‸\n", "size")
    assert not outcome(elsewhere, answered(text), "off").comment_in_bracket


def test_the_line_above_repeated():
    task = task_at("for x in xs:\n    total += x\n\n    ‸\n", "count += 1")

    def repeats(found: Outcome) -> bool:
        return found.repeats_line_above

    assert repeats(outcome(task, answered("total += x"), "off"))
    assert repeats(outcome(task, answered("total += x\n    more()"), "off"))
    assert not repeats(outcome(task, answered("count += 1"), "off"))


def test_features_of_a_cursor():
    found = features(CALL)
    assert found["after_bracket"]
    assert found["scope"] == "line"
    assert found["closers_after"] == 1
    assert found["indentation"] == 0
    assert not found["after_dot"]
    assert features(replace(CALL, prefix="value = area.", kept=""))["after_dot"]
    assert features(replace(CALL, prefix="value = ", kept=""))["after_blank"]
    assert features(replace(CALL, prefix="val", kept=""))["after_word"]
    assert features(BLOCK)["at_line_start"]
    assert features(replace(CALL, prefix="x = 'a", kept="'"))["in_string"]
    assert features(replace(CALL, prefix="# a", kept=""))["in_comment"]
