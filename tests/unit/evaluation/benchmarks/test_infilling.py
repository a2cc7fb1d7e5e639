"""Infilling: the tasks are those of the benchmark, byte for byte, and exact matches."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import pytest

from copilot_server.errors import DataError
from copilot_server.evaluation.benchmarks import infilling
from copilot_server.evaluation.benchmarks.infilling import is_exact_match
from copilot_server.evaluation.problems import load_problems
from copilot_server.evaluation.types import Task

PROBLEMS = load_problems().problems
ALL = infilling.tasks(PROBLEMS, multi_line_subset=None)

#: The hashes of the names, prefixes, middles and suffixes of all tasks as their authors published them.
PUBLISHED = {
    "single-line": "8ed576aa14c300841154b690e1bd3d2718629d30cc9a050e4be20bc68f886910",
    "multi-line": "a70c40b3a4d5e0c979f4713ba8be69e70e5896ca5f03debb182ad6f21697a353",
}


def of(kind: str, tasks: Sequence[Task] = ALL) -> list[Task]:
    return [task for task in tasks if task.variant == kind]


def digest(tasks: Sequence[Task]) -> str:
    parts = [[task.task_id, task.prefix, task.canonical, task.suffix] for task in tasks]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def span(canonical: str, suffix: str) -> Task:
    return Task("t", "p", "def f(x):\n", suffix, canonical, "f", "")


class TestTasks:
    def test_are_as_many_as_published(self):
        assert Counter(task.variant for task in ALL) == {
            "single-line": 1033,
            "multi-line": 5815,
            "random-span": 1640,
        }

    @pytest.mark.parametrize("kind", PUBLISHED)
    def test_are_the_published_ones_byte_for_byte(self, kind: str):
        assert digest(of(kind)) == PUBLISHED[kind]
        changed = [replace(of(kind)[0], prefix=of(kind)[0].prefix[:-1]), *of(kind)[1:]]
        assert digest(changed) != PUBLISHED[kind]

    def test_names_are_unique(self):
        assert len({task.task_id for task in ALL}) == len(ALL)

    def test_together_the_parts_are_the_solution(self):
        solutions = {one.task_id: one.prompt + one.canonical_solution for one in PROBLEMS}
        for task in ALL:
            whole = task.prefix + task.canonical + task.suffix
            at_line_0 = task.task_id.endswith("/L0") or "/L0_" in task.task_id
            extra = "\n" if at_line_0 and task.variant != "random-span" else ""
            cut = len(task.setup)
            assert whole == solutions[task.problem_id][:cut] + extra + solutions[task.problem_id][cut:]

    def test_spans_are_ten_different_ones_a_problem_none_empty(self):
        spans = of("random-span")
        assert set(Counter(task.problem_id for task in spans).values()) == {10}
        assert len({(task.problem_id, len(task.prefix), len(task.canonical)) for task in spans}) == 1640
        assert all(task.canonical for task in spans)

    def test_a_third_of_the_spans_begin_inside_a_word(self):
        # 31.1 % of the published spans do.
        inside = [
            t for t in of("random-span") if re.search(r"\w\Z", t.prefix) and re.match(r"\w", t.canonical)
        ]
        assert 0.28 < len(inside) / 1640 < 0.36

    def test_a_tiny_solution_has_fewer_spans(self):
        tiny = replace(PROBLEMS[0], canonical_solution="ab")
        spans = infilling.tasks([tiny], kinds=("random-span",))
        assert sorted(task.canonical for task in spans) == ["a", "ab", "b"]

    def test_without_a_canonical_solution_there_is_nothing_to_leave_out(self):
        with pytest.raises(DataError, match="HumanEval/1 has no canonical solution"):
            infilling.tasks([PROBLEMS[0], replace(PROBLEMS[1], canonical_solution="\n")])


class TestSubset:
    def test_has_the_size_and_every_problem(self):
        chosen = of("multi-line", infilling.tasks(PROBLEMS))
        assert len(chosen) == len(set(chosen)) == 1000
        assert {task.problem_id for task in chosen} == {one.task_id for one in PROBLEMS}
        assert set(chosen) < set(of("multi-line"))

    def test_is_in_proportion(self):
        chosen = Counter(task.problem_id for task in of("multi-line", infilling.tasks(PROBLEMS)))
        for problem_id, count in Counter(task.problem_id for task in of("multi-line")).items():
            assert chosen[problem_id] == 1 or abs(chosen[problem_id] - count * 1000 / 5815) <= 1

    @pytest.mark.parametrize(("asked", "got"), [(5815, 5815), (9999, 5815), (1, 164)])
    def test_other_sizes(self, asked: int, got: int):
        assert len(infilling.tasks(PROBLEMS, kinds=("multi-line",), multi_line_subset=asked)) == got

    def test_a_seed_gives_the_same_tasks_and_another_gives_others(self):
        once, again = infilling.tasks(PROBLEMS, seed=7), infilling.tasks(PROBLEMS, seed=7)
        assert once == again
        for kind in ("multi-line", "random-span"):
            assert of(kind, infilling.tasks(PROBLEMS, seed=8)) != of(kind, once)
        assert of("single-line", infilling.tasks(PROBLEMS, seed=8)) == of("single-line", once)

    def test_what_is_chosen_of_a_problem_hangs_on_no_other(self):
        some = infilling.tasks(PROBLEMS[5:9], kinds=("random-span",))
        assert some == [task for task in of("random-span") if task.problem_id in {t.problem_id for t in some}]


class TestExactMatch:
    @pytest.mark.parametrize(
        ("canonical", "suffix", "completion", "replaced"),
        [
            ("    return x\n", "", "    return x", 0),
            ("return x", "", "  return x \n", 0),
            ("x, 1", ")\n", "x, 1", 0),
            ("x, 1", ")\n", "x, 1)", 1),  # the closer is there already and is written over
            ("x, (1", "))\n", "x, (1))", 2),
            ("x ", "+ 1\n", "x+ 1", 3),
            ("x", " + 1  \n", "x + 1", 6),
        ],
    )
    def test_same_middle_is_one(self, canonical: str, suffix: str, completion: str, replaced: int):
        assert is_exact_match(span(canonical, suffix), completion, replaced)

    @pytest.mark.parametrize(
        ("canonical", "suffix", "completion", "replaced"),
        [
            ("return x", "", "return y", 0),
            ("return x", "", "", 0),
            ("x, 1", ")\n", "x, 1)", 0),  # the document has two closers now
            ("x, 1", ")\n", "x, 1", 1),  # and here none
            ("a + b", "\n", "a  + b", 0),
            ("x", ")", ")", 1),
        ],
    )
    def test_another_is_none(self, canonical: str, suffix: str, completion: str, replaced: int):
        assert not is_exact_match(span(canonical, suffix), completion, replaced)
