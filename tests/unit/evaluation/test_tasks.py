"""The tasks of a run: the benchmark's, limited to some problems and variants."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from copilot_server.errors import ConfigError
from copilot_server.evaluation.options import SelftestOptions
from copilot_server.evaluation.problems import load_problems
from copilot_server.evaluation.tasks import load_problem_set, make_tasks

#: These benchmarks run no programs to make their tasks.
NO_SANDBOX: Any = None
PROBLEMS = load_problems()


def made(**options: object) -> list[str]:
    tasks = make_tasks(SelftestOptions(**options), PROBLEMS, NO_SANDBOX)
    return [task.task_id for task in tasks]


def test_the_problems_are_openais_unless_a_file_is_named(tmp_path: Path):
    assert load_problem_set(SelftestOptions()) == PROBLEMS
    own = tmp_path / "own.jsonl"
    own.write_text(
        '{"task_id": "a", "prompt": "def f():\\n", "entry_point": "f", "test": "def check(f): f()"}'
    )
    assert [one.task_id for one in load_problem_set(SelftestOptions(data=own)).problems] == ["a"]


def test_a_limit_takes_the_first_problems():
    assert made(limit=2) == ["HumanEval/0", "HumanEval/1"]
    assert len(made()) == 164


def test_variants_are_parts_of_a_benchmark():
    assert made(benchmark="robustness", limit=1, variants=("CRLF", "plain")) == [
        "HumanEval/0/plain",
        "HumanEval/0/CRLF",
    ]
    assert len(made(benchmark="robustness", limit=1)) == 8


def test_an_unknown_variant_is_refused_with_the_known_ones():
    with pytest.raises(ConfigError, match=r"no variant 'sideways'\. Known: none"):
        made(variants=("sideways",))
    with pytest.raises(ConfigError, match=r"Known: plain, trailing-spaces"):
        made(benchmark="robustness", limit=1, variants=("sideways",))


def test_problems_for_a_benchmark_that_has_its_own_tasks_are_refused():
    assert len(made(benchmark="chained")) == 117
    with pytest.raises(ConfigError, match="chained makes tasks of its own"):
        made(benchmark="chained", limit=1)


def test_full_takes_every_task_of_a_seeded_subset():
    counts = [len(made(benchmark="infilling", variants=("multi-line",), full=full)) for full in (False, True)]
    assert counts == [1000, 5815]
