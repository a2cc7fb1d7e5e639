"""Each filter against its golden cases, and all of them against every HumanEval solution."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from copilot_server.completion.filters.filters import FILTERS, Draft, apply_filters
from copilot_server.completion.scope.scope import Situation, situation_at
from copilot_server.context.document import Cursor, Document
from tests.support.cursor_text import cursor_in, drawn
from tests.support.human_eval import PROBLEMS
from tests.support.paths import TESTS

GOLDEN = TESTS / "golden" / "filters"
BY_NAME = {apply.__name__: apply for apply in FILTERS}


def golden_cases() -> list[Any]:
    return [
        pytest.param(path.stem, case, id=f"{path.stem}: {case['name']}")
        for path in sorted(GOLDEN.glob("*.toml"))
        for case in tomllib.loads(path.read_text("utf-8"))["case"]
    ]


def run(name: str, case: dict[str, Any]) -> Draft | None:
    situation = situation_at(cursor_in(case["document"], case.get("language", "python")))
    finish_reason = case.get("finish_reason", "stop")
    if name == "all":
        return apply_filters(case["model"], situation, finish_reason)
    return BY_NAME[name](Draft(case["model"], 0, finish_reason), situation)


def accepted(cursor: Cursor, draft: Draft) -> str:
    """Draw the document after the draft is accepted."""
    text = cursor.prefix + draft.text + cursor.suffix[draft.replaced :]
    return drawn(text, cursor.offset + len(draft.text))


@pytest.mark.parametrize(("name", "case"), golden_cases())
def test_a_golden_case(name: str, case: dict[str, Any]):
    draft = run(name, case)
    assert (draft is None) == case.get("dropped", False)
    if draft is not None:
        assert accepted(cursor_in(case["document"]), draft) == case["shows"]
        assert (draft.text == case["model"] and not draft.replaced) == case.get("unchanged", False)


def test_each_filter_has_a_case_it_changes_and_a_twin_it_leaves_alone():
    cases = [param.values for param in golden_cases()]
    changed = {name for name, case in cases if not case.get("unchanged")}
    unchanged = {name for name, case in cases if case.get("unchanged")}
    assert changed == unchanged == {*BY_NAME, "all"}


@pytest.mark.parametrize("problem", PROBLEMS, ids=lambda problem: problem["task_id"])
def test_a_correct_humaneval_solution_passes_whole(problem: dict[str, str]):
    solution = problem["canonical_solution"]
    draft = apply_filters(solution + "\n\ndef other():\n    pass\n", at_end(problem["prompt"]), "stop")
    assert draft is not None
    assert (draft.text, draft.replaced) == (solution.rstrip(), 0)


def test_a_solution_that_loops_does_not_pass_whole():
    problem = PROBLEMS[0]
    solution = problem["canonical_solution"].rstrip()
    draft = apply_filters(solution + "\n    x = 1" * 9, at_end(problem["prompt"]), "length")
    assert draft is not None
    assert draft.text == solution + "\n    x = 1"


WORDS = ["def f(x):", "class A:", "return x", "x = [", "if x:", "import os", '"""', "```", "    ", "\r\n"]
PIECES = st.lists(st.sampled_from([*WORDS, *"\n\r\t])('#\\é\U0001d4b3\x0c@{}, \0"])).map("".join)


@given(PIECES, PIECES, PIECES, st.sampled_from(["python", "javascript"]))
def test_filters_give_a_text_that_fits_the_line_whatever_they_read(
    before: str, after: str, model: str, language: str
):
    cursor = Cursor(Document("file:///a", language, before + after), len(before))
    draft = apply_filters(model, situation_at(cursor), "length")
    if draft is not None:
        assert draft.text.strip()
        assert 0 <= draft.replaced <= len(cursor.line_suffix)


def at_end(text: str) -> Situation:
    return situation_at(Cursor(Document("file:///problem.py", "python", text), len(text)))
