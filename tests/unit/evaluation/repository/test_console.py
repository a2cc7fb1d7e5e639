"""The tables of a run over a repository."""

from __future__ import annotations

from dataclasses import replace

import pytest

from copilot_server.catalog import Gate
from copilot_server.evaluation.repository.console import TaskBar, print_report
from tests.support.repositories import a_report, an_outcome, done

TASKS = tuple(
    done(f"{n}.py", an_outcome(exact=n < 2, keys=8), an_outcome(context="on", exact=n < 4, keys=4))
    for n in range(4)
)


def test_both_contexts_stand_side_by_side(capsys: pytest.CaptureFixture[str]):
    print_report(a_report(*TASKS))
    out = capsys.readouterr().out
    assert "without context" in out
    assert "50.0 % (15.0 to 85.0)" in out
    assert "100.0 %" in out
    assert "+50.0" in out
    assert max(map(len, out.splitlines())) <= 120


def test_a_gate_has_a_table_by_eagerness(capsys: pytest.CaptureFixture[str]):
    gate = Gate(source="a test", intercept=0.0, weights={}, low=0.9, medium=0.5, high=0.0)
    print_report(a_report(*TASKS, gate=gate))
    out = capsys.readouterr().out
    assert "by eagerness" in out
    assert "medium" in out
    print_report(a_report(*TASKS))
    assert "by eagerness" not in capsys.readouterr().out


def test_one_context_needs_no_difference(capsys: pytest.CaptureFixture[str]):
    print_report(a_report(done("a.py", an_outcome())), to_stderr=True)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "with context" not in captured.err
    assert "difference" not in captured.err


def test_names_from_the_repository_are_escaped(capsys: pytest.CaptureFixture[str]):
    report = replace(a_report(*TASKS), folder="[red]x\x1b[31m", model="m\x07")
    print_report(report)
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert "\x07" not in out
    assert "[red]x" in out


def test_progress_without_a_terminal_is_a_line_now_and_then(capsys: pytest.CaptureFixture[str]):
    with TaskBar(20) as bar:
        for n in range(20):
            bar.done(done(f"{n}.py", an_outcome(exact=n < 10)))
    err = capsys.readouterr().err
    assert "exact 100.0% (10 of 10)" in err
    assert "exact  50.0% (10 of 20)" in err
