"""Reproducible random choices."""

from __future__ import annotations

from copilot_server.evaluation.benchmarks.seeding import seeded


def test_the_same_names_give_the_same_choices():
    assert seeded(1, "task", "HumanEval/0").random() == seeded(1, "task", "HumanEval/0").random()


def test_other_names_give_other_choices():
    assert len({seeded(*names).random() for names in [(1, "a"), (2, "a"), (1, "b"), (1,)]}) == 4
