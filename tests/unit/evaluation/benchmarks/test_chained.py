"""Chained blocks: the prompts, and the factor by which each block changes the pass rate."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import pytest

from copilot_server.evaluation.benchmarks import chained
from copilot_server.evaluation.benchmarks.chained import BLOCKS
from copilot_server.evaluation.types import Checked, Sample, Task
from copilot_server.sandbox import ProgramResult

ALL = chained.tasks()


def checked(tasks: Sequence[Task], passing: dict[str, int]) -> list[Checked]:
    """So many of each variant's tasks pass."""
    seen: Counter[str] = Counter()
    results = []
    for task in tasks:
        seen[task.variant] += 1
        passed = seen[task.variant] <= passing[task.variant]
        result = ProgramResult(passed, "" if passed else "x", 0.0)
        results.append(Checked(Sample(task.task_id, 0, 0.0, "x"), result))
    return results


class TestTasks:
    def test_numbers(self):
        assert Counter(task.variant for task in ALL) == {
            "1 block": 13,
            **{f"{length} blocks": 26 for length in range(2, 6)},
        }
        assert len({task.prefix for task in ALL}) == len({task.task_id for task in ALL}) == len(ALL)
        assert len(BLOCKS) == 13
        assert len(chained.tasks(lengths=2, chains=3)) == 6

    def test_prompt(self):
        chain = next(one for one in ALL if one.variant == "2 blocks")
        words = {f"    -{block.words}" for block in BLOCKS}
        lines = chain.prefix.splitlines()
        assert lines[:4] == [
            "def string_manipulation(s: str):",
            '    """',
            "    This function takes a string as input, then returns the result of performing",
            "    the following sequence of manipulations on that string:",
        ]
        assert set(lines[4:6]) < words
        assert lines[6:] == ['    """']

    def test_blocks_do_what_they_say(self):
        text = "Eve, see that!? I am."
        wanted = [
            "Ev, s that!? I am.",
            "Eve,!see!that!?!I!am.",
            "eve, see that!? i am.",
            "e, see that!? I a",
            "v, s tht!?  m.",
            "Ev, eetht! Iam",
            "Eve, see t",
            "Eve,   see   that!?   I   am.",
            "am. I that!? see Eve,",
            "that!? I am.",
            "Eve, apples see apples that!? apples I apples am. apples",
            "EvE, sEe tHaT!? I Am.",
            "Eve, see that I am",
        ]
        assert [chained.result([block], text) for block in BLOCKS] == wanted

    @pytest.mark.slow
    def test_a_seed_gives_the_same_tasks_and_another_gives_others(self):
        assert chained.tasks() == ALL
        other = chained.tasks(seed=1)
        assert {task.prefix for task in other} != {task.prefix for task in ALL}
        assert {task.test for task in other}.isdisjoint({task.test for task in ALL})


class TestScores:
    def test_factor_of_a_curve_that_halves(self):
        tasks = chained.tasks(lengths=4, chains=26)
        passing = {"1 block": 13, "2 blocks": 13, "3 blocks": 7, "4 blocks": 3}
        (score,) = chained.scores(tasks, checked(tasks, passing))
        assert score.value == pytest.approx(0.5, abs=0.02)
        assert score.low < score.value < score.high
        assert (score.tasks, score.temperature, score.variant) == (91, 0.0, "")
        assert "divides the pass rate by 2.0" in score.note

    def test_flat_curve_has_a_factor_of_one(self):
        tasks = chained.tasks(lengths=3)
        (score,) = chained.scores(tasks, checked(tasks, dict.fromkeys({t.variant for t in tasks}, 99)))
        assert (score.value, score.low, score.high) == (1.0, 1.0, 1.0)

    def test_no_curve_no_factor(self):
        tasks = chained.tasks(lengths=3)
        assert chained.scores(tasks, checked(tasks, dict.fromkeys({t.variant for t in tasks}, 0))) == []
        single = chained.tasks(lengths=1)
        assert chained.scores(single, checked(single, {"1 block": 5})) == []
        assert chained.scores(tasks, []) == []
