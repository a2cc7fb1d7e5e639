"""The simulated typist, with suggestions that tests make up."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from copilot_server.completion.types import Candidate
from copilot_server.context.document import Cursor
from copilot_server.evaluation.repository.types import RepositoryTask, Typed
from copilot_server.evaluation.repository.typist import MAX_TYPED, Line, type_line
from tests.support.repositories import task_at

CALL = task_at("value = area(‸\n", "shapes[0], unit)", kept=")")


def candidate(text: str, replaced: int = 0) -> Candidate:
    return Candidate(text, -0.1, "stop", replaced)


def type_with(task: RepositoryTask, suggest: Callable[[Cursor], str | None]) -> tuple[Typed, list[str]]:
    """Type with what ``suggest`` suggests; return the result and the lines at which it was asked."""
    asked: list[str] = []

    def ask(cursor: Cursor) -> Candidate | None:
        asked.append(f"{cursor.line_prefix}‸{cursor.line_suffix}")
        text = suggest(cursor)
        return None if text is None else candidate(text)

    return type_line(task, ask(task.cursor), ask), asked


def test_without_suggestions_every_character_is_a_key():
    typed, asked = type_with(CALL, lambda _: None)
    assert typed == Typed(15, 15, 0, 0)
    assert asked[:4] == ["value = area(‸)", "value = area(s‸)", "value = area(sh‸)", "value = area(sha‸)"]


def test_the_editor_closes_what_is_opened_on_the_way():
    _, asked = type_with(CALL, lambda _: None)
    assert "value = area(shapes[‸])" in asked
    assert "value = area(shapes[0‸])" in asked
    assert "value = area(shapes[0]‸)" in asked
    assert asked[-1] == "value = area(shapes[0], uni‸)", "the closer at the end is not typed"


def test_a_right_line_takes_one_key():
    typed, asked = type_with(CALL, lambda _: "shapes[0], unit")
    assert typed == Typed(15, 1, 1, 0)
    assert len(asked) == 1


def test_a_line_that_writes_the_closer_itself_is_right_where_it_replaces_it():
    right = type_line(CALL, candidate("shapes[0], unit)", replaced=1), lambda _: None)
    assert right.keys == 1
    twice = type_line(CALL, candidate("shapes[0], unit)"), lambda _: None)
    assert twice.keys > 1


def test_a_right_first_line_of_several_counts():
    task = task_at("def f():\n    ‸\n", "return one", kind="block")
    typed, _ = type_with(task, lambda _: "return one\n\n\nwrong()")
    assert typed.keys == 1


def test_a_right_word_takes_one_key_and_then_the_next_is_asked_for():
    def suggest(cursor: Cursor) -> str:
        return "shapes.wrong" if cursor.line_prefix.endswith("(") else "nothing"

    typed, asked = type_with(CALL, suggest)
    assert typed == Typed(15, 10, 0, 1)
    assert asked[1] == "value = area(shapes‸)"


def test_half_a_word_is_not_accepted():
    typed, _ = type_with(task_at("x = ‸\n", "names"), lambda _: "name")
    assert typed.accepted_words == 0


def test_one_letter_is_typed_as_fast_as_accepted():
    typed, _ = type_with(task_at("x = ‸\n", "a + b"), lambda _: "a")
    assert typed == Typed(5, 5, 0, 0)


@pytest.mark.parametrize("text", ["right " * 30, "x" * 200])
def test_a_long_line_is_typed_only_so_far(text: str):
    typed, asked = type_with(task_at("x = ‸\n", text), lambda _: None)
    assert typed == Typed(MAX_TYPED, MAX_TYPED, 0, 0)
    assert len(asked) == MAX_TYPED


def test_positions_on_the_line():
    line = Line(CALL)
    assert line.length == 15
    assert line.cursor(0) == CALL.cursor
    assert line.is_done(15)
    assert not line.is_done(14)
