"""Figures with intervals over files, and paired differences."""

from __future__ import annotations

from dataclasses import replace

import pytest

from copilot_server.evaluation.repository import scores
from copilot_server.evaluation.repository.types import Done, Figure
from copilot_server.statistics.proportion import wilson_interval
from tests.support.repositories import an_outcome, done


def figure(tasks: list[Done], name: str, context: str = "off") -> Figure:
    (found,) = [one for one in scores.figures(tasks) if (one.name, one.context) == (name, context)]
    return found


def test_shares_of_tasks_and_of_the_shown():
    tasks = [
        done("a.py", an_outcome(exact=True)),
        done("b.py", an_outcome(exact=False)),
        done("c.py", an_outcome(shown=False)),
        done("d.py", an_outcome(exact=True)),
    ]
    assert figure(tasks, scores.EXACT).value == 0.5
    assert figure(tasks, scores.SHOWN).value == 0.75
    precision = figure(tasks, scores.PRECISION)
    assert precision.value == pytest.approx(2 / 3)
    assert (precision.count, precision.files) == (3, 3)


def test_with_one_task_a_file_the_interval_is_wilsons():
    tasks = [done(f"{n}.py", an_outcome(exact=n < 3)) for n in range(10)]
    found = figure(tasks, scores.EXACT)
    assert (found.low, found.high) == wilson_interval(3, 10)


def test_tasks_of_a_file_are_not_independent():
    apart = [done(f"{n}.py", an_outcome(exact=n % 2 == 0)) for n in range(40)]
    together = [done(f"{n // 10}.py", an_outcome(exact=n < 20)) for n in range(40)]
    one, other = figure(apart, scores.EXACT), figure(together, scores.EXACT)
    assert one.value == other.value == 0.5
    assert other.high - other.low > one.high - one.low


def test_keystrokes_are_summed_over_characters():
    tasks = [done("a.py", an_outcome(keys=1)), done("b.py", an_outcome(keys=10)), done("c.py", an_outcome())]
    found = figure(tasks, scores.SAVED)
    assert found.value == pytest.approx(0.45)
    assert found.count == 2


def test_the_similarity_of_all_lines_is_for_several_lines_only():
    assert scores.SIMILARITY_ALL not in {one.name for one in scores.figures([done("a.py", an_outcome())])}


def test_a_difference_is_paired():
    tasks = [
        done(f"{n}.py", an_outcome(exact=n < 2, keys=8), an_outcome(context="on", exact=n < 8, keys=4))
        for n in range(10)
    ]
    found = {one.name: one for one in scores.differences(tasks)}
    exact = found[scores.EXACT]
    assert (exact.before, exact.after) == (0.2, 0.8)
    assert exact.value == pytest.approx(0.6)
    assert exact.p_value == pytest.approx(2 / 2**6)
    assert exact.low > 0
    assert found[scores.SAVED].value == pytest.approx(0.4)
    assert found[scores.SHOWN].value == 0
    assert found[scores.SHOWN].p_value == 1.0
    assert scores.PRECISION not in found, "the suggestions shown are not the same ones"


def test_tasks_asked_only_one_way_have_no_difference():
    assert scores.differences([done("a.py", an_outcome())]) == []


def test_costs_tell_the_cache_from_the_model():
    (cost,) = scores.costs([done("a.py", an_outcome()), done("b.py", an_outcome())])
    assert (cost.first_p50_s, cost.next_p50_s) == (1.0, 0.125)
    assert (cost.next_cached, cost.prompt_tokens, cost.new_tokens) == (0.5, 100, 5)


def test_what_is_withheld_may_be_right_or_wrong():
    tasks = [done(f"w{n}.py", an_outcome(shown=n > 2)) for n in range(4)]
    tasks += [done(f"r{n}.py", an_outcome(exact=True, shown=n > 0)) for n in range(2)]
    tasks.append(done("nothing.py", an_outcome(shown=False, text="")))
    withheld, kept = figure(tasks, scores.WITHHELD), figure(tasks, scores.KEPT)
    assert (withheld.value, withheld.count) == (0.75, 4)
    assert (kept.value, kept.count) == (0.5, 2)
    assert figure(tasks, scores.EXACT).value == pytest.approx(1 / 7)


def test_how_often_there_was_code_of_other_files():
    with_code = an_outcome(context="on")
    with_code = replace(with_code, answer=replace(with_code.answer, snippets=2))
    tasks = [done("a.py", an_outcome(), with_code), done("b.py", an_outcome(), an_outcome(context="on"))]
    assert figure(tasks, scores.OFFERED, "on").value == 0.5
    assert not [one for one in scores.figures(tasks) if (one.name, one.context) == (scores.OFFERED, "off")]


def test_unwanted_suggestions_are_counted_by_context():
    tasks = [done("a.py", an_outcome(), an_outcome(context="on", shown=False))]
    assert scores.unwanted(tasks)["off"]["shown"] == 1
    assert scores.unwanted(tasks)["on"]["shown"] == 0


def test_names_that_do_not_exist_are_counted_before_their_filter_and_after():
    withheld, shown = an_outcome(), an_outcome(context="on")
    withheld = replace(withheld, answer=replace(withheld.answer, missing="save"))
    shown = replace(shown, answer=replace(shown.answer, missing="save", shows_missing=True))
    found = scores.unwanted([done("a.py", withheld, shown)])
    names = ("name that does not exist", "such names before their filter")
    assert [found[context][name] for context in ("off", "on") for name in names] == [0, 1, 1, 1]
