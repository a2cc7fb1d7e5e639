"""All filters in order, against golden cases of each language and every HumanEval solution."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from copilot_server.completion.filters.draft import Draft
from copilot_server.completion.filters.order import FILTERS, QUIET_FILTERS, apply_filters, apply_quiet_filters
from copilot_server.completion.scope.scope import Situation, situation_at
from copilot_server.context.document import Cursor, Document
from tests.support.golden import BY_NAME, GOLDEN, LANGUAGES, cases_of, check, golden
from tests.support.human_eval import PROBLEMS

#: The languages for which the golden cases cover several meaningful situations each.
COVERED = {
    *("typescript", "javascript", "go", "rust", "java", "c", "cpp", "csharp", "ruby", "php", "shellscript"),
    *("html", "css", "sql"),
}


@golden("all")
def test_a_golden_case_of_all_filters(case: dict[str, Any]):
    check("all", case)


def cases_by_language() -> list[Any]:
    return [
        pytest.param(path.stem, case, id=f"{path.stem}: {case['name']}")
        for path in sorted(LANGUAGES.glob("*.toml"))
        for case in cases_of(path)
    ]


@pytest.mark.parametrize(("language", "case"), cases_by_language())
def test_a_golden_case_of_a_language(language: str, case: dict[str, Any]):
    check("all", case, language)


def test_each_language_has_several_cases():
    counts = Counter(param.values[0] for param in cases_by_language())
    assert {language for language in COVERED if counts[language] < 8} == set()


def test_each_filter_has_a_case_it_changes_and_a_twin_it_leaves_alone():
    changed, unchanged = set(), set()
    for path in GOLDEN.glob("*.toml"):
        for case in cases_of(path):
            (unchanged if case.get("unchanged") else changed).add(path.stem)
    assert changed == unchanged == {*BY_NAME, "all"}


def test_each_filter_is_a_module_of_its_name():
    filters = (*FILTERS, *QUIET_FILTERS)
    assert [apply.__module__.rpartition(".")[2] for apply in filters] == list(BY_NAME)


@pytest.mark.parametrize("problem", PROBLEMS, ids=lambda problem: problem["task_id"])
def test_a_correct_humaneval_solution_passes_whole(problem: dict[str, str]):
    solution = problem["canonical_solution"]
    draft = apply_filters(solution + "\n\ndef other():\n    pass\n", at_end(problem["prompt"]), "stop")
    assert draft is not None
    assert (draft.text, draft.replaced) == (solution.rstrip(), 0)


@pytest.mark.parametrize("problem", PROBLEMS, ids=lambda problem: problem["task_id"])
def test_a_correct_humaneval_solution_is_worth_showing(problem: dict[str, str]):
    solution = problem["canonical_solution"].rstrip()
    draft = apply_quiet_filters(Draft(solution), at_end(problem["prompt"]))
    assert draft is not None
    assert without_comments(draft.text) == without_comments(solution)


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
        quiet = apply_quiet_filters(draft, situation_at(cursor))
        assert quiet is None or (quiet.text.strip() and quiet.replaced == draft.replaced)


def at_end(text: str) -> Situation:
    return situation_at(Cursor(Document("file:///problem.py", "python", text), len(text)))


def without_comments(code: str) -> list[str]:
    return [line for line in (line.partition("#")[0].rstrip() for line in code.splitlines()) if line]
