"""Buggy context: the small changes that are made to functions."""

from __future__ import annotations

from dataclasses import replace

import pytest

from copilot_server.evaluation.benchmarks.buggy_context import mutations
from copilot_server.evaluation.problems import load_problems

PROBLEMS = load_problems().problems


def changed(body: str) -> list[str]:
    problem = replace(PROBLEMS[0], prompt="def f(a, b):\n", canonical_solution=body, entry_point="f")
    return [text.removeprefix("def f(a, b):\n    ").strip() for text in mutations(problem)]


@pytest.mark.parametrize(
    ("code", "wanted"),
    [
        ("return a < b", ["return a <= b"]),
        ("return (a) == (b)", ["return (a) != (b)"]),
        ("return a < 1 < b", ["return a < 1 <= b", "return a < 2 < b", "return a <= 1 < b"]),
        ("return é + b", ["return é - b"]),
        ("return a and b or a", ["return a and b and a", "return a or b or a"]),
        ("return max(a)", ["return min(a)"]),
        ("return a[: 3]", ["return a[: 4]"]),
        ("return a is None", []),
        ("return True", []),
        ("return (a, b)", []),
    ],
)
def test_each_small_change_there_is(code: str, wanted: list[str]):
    assert sorted(changed(f"    {code}\n")) == sorted(wanted)


def test_prompt_stays_as_it_is():
    for problem in PROBLEMS:
        assert all(text.startswith(problem.prompt) for text in mutations(problem))


def test_what_does_not_parse_has_none():
    assert changed("    return (\n") == []
