"""How well certainty tells right suggestions from wrong ones."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from copilot_server.catalog import Gate
from copilot_server.evaluation.repository import scores
from copilot_server.evaluation.repository.certainty import bins, by_eagerness, certainty, withheld_at
from copilot_server.evaluation.repository.types import Done, Outcome
from tests.support.repositories import an_outcome, done

GATE = Gate(source="a test", intercept=0.0, weights={}, low=0.8, medium=0.5, high=0.1)


def sure(probability: float, *, exact: bool = False, shown: bool = True) -> Outcome:
    found = an_outcome(exact=exact, shown=shown)
    return replace(found, answer=replace(found.answer, probability=probability))


def test_certainty_is_the_gates_or_the_first_lines():
    assert certainty(sure(0.7).answer) == 0.7
    assert certainty(an_outcome(logprob=-0.3).answer) == pytest.approx(math.exp(-0.3))
    assert certainty(an_outcome(text="").answer) == 0.0


def test_bins_hold_every_suggestion_shown_or_withheld():
    tasks = [
        done("a.py", sure(0.05)),
        done("b.py", sure(0.05, exact=True, shown=False)),
        done("c.py", sure(0.9, exact=True)),
        done("d.py", sure(1.0)),
        done("e.py", an_outcome(text="", shown=False)),
    ]
    found = [(one.low, one.high, one.right, one.count) for one in bins(tasks)]
    assert found == [(0.0, 0.1, 1, 2), (0.9, 1.0, 1, 2)]


def test_what_a_threshold_would_withhold():
    right = [done(f"r{n}.py", sure(0.9, exact=True)) for n in range(9)]
    right.append(done("low.py", sure(0.1, exact=True)))
    wrong = [done(f"w{n}.py", sure(0.4 if n else 0.95)) for n in range(4)]
    assert withheld_at([*right, *wrong], "off", kept=0.9) == 0.75
    assert withheld_at([*right, *wrong], "off", kept=1.0) == 0.0
    assert withheld_at(right, "off") is None


class TestEagerness:
    TASKS = (
        done("a.py", sure(0.9, exact=True)),
        done("b.py", sure(0.6, exact=True, shown=False)),
        done("c.py", sure(0.6)),
        done("d.py", sure(0.2)),
    )

    def figure(self, tasks: tuple[Done, ...], eagerness: str, name: str) -> float:
        (found,) = [
            one for one in by_eagerness(tasks, GATE) if (one.eagerness, one.name) == (eagerness, name)
        ]
        assert found.low <= found.value <= found.high
        return found.value

    @pytest.mark.parametrize(
        ("eagerness", "shown", "precision", "withheld", "kept"),
        [("low", 0.25, 1.0, 1.0, 0.5), ("medium", 0.75, 2 / 3, 0.5, 1.0), ("high", 1.0, 0.5, 0.0, 1.0)],
    )
    def test_it_is_computed_for_each_whatever_was_shown(
        self, eagerness: str, shown: float, precision: float, withheld: float, kept: float
    ):
        expected = {
            scores.SHOWN: shown,
            scores.PRECISION: precision,
            scores.WITHHELD: withheld,
            scores.KEPT: kept,
        }
        for name, value in expected.items():
            assert self.figure(self.TASKS, eagerness, name) == pytest.approx(value)

    def test_what_filters_left_out_is_not_shown_at_any(self):
        nothing = done("e.py", an_outcome(text="", shown=False))
        assert self.figure((*self.TASKS, nothing), "high", scores.SHOWN) == 0.8

    def test_without_a_gate_there_is_nothing_to_say(self):
        assert by_eagerness(self.TASKS, None) == []
