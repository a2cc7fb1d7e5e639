"""A run on the terminal: the tables are complete, and no text of the model can control the terminal."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest

from copilot_server.evaluation.report.console import ScoreBar, print_report, shown
from copilot_server.evaluation.types import Checked, Report, RunSettings, Sample, Score, Timing
from copilot_server.sandbox import ProgramResult

HOSTILE_TEXT = "[red]x[/red]\x1b[2J\x07\u202e[/]"


def sample(
    number: int, *, passed: bool, error: str = "AssertionError: x", upstream: bool | None = None
) -> Checked:
    by_upstream = None if upstream is None else ProgramResult(upstream, "" if upstream else "x", 0.1)
    return Checked(
        Sample(f"HumanEval/{number}", 0, 0.0, HOSTILE_TEXT, "causal"),
        ProgramResult(passed, "" if passed else error, 0.1),
        by_upstream,
    )


def report_of(*samples: Checked, scores: tuple[Score, ...] = ()) -> Report:
    passed = sum(one.passed for one in samples)
    return Report(
        protocol=RunSettings(
            benchmark="humaneval",
            data="HumanEval",
            data_sha256="00",
            model="a-model",
            device="cpu",
            dtype="int8",
            prompt="causal",
            samples=1,
            temperatures=(0.0,),
            top_p=0.95,
            seed=0,
            max_new_tokens=256,
            check="strict",
            sandbox="bubblewrap",
        ),
        parameters=None,
        started="2026-01-01T00:00:00+00:00",
        command="copilot-server --selftest humaneval",
        hardware="a machine",
        versions={},
        timing=Timing(1.0, 1.2, 1.5, 0.3, 100),
        scores=scores or (Score("pass@1", passed / len(samples), 0.095, 0.905, len(samples)),),
        tasks=(),
        samples=samples,
    )


def test_tables_are_complete(capsys: pytest.CaptureFixture[str]):
    print_report(report_of(sample(0, passed=True), sample(1, passed=False)))
    out, err = capsys.readouterr()
    assert not err
    for word in (
        "50.0%",
        "9.5% to 90.5%",
        "1 of 2",
        "AssertionError 1",
        "causal",
        "a-model (cpu, int8)",
        "a machine",
        "strict in bubblewrap",
        "100 tokens in 1.2 s",
        "1.5 s",
    ):
        assert word in out
    assert "upstream differs" not in out
    assert "variant" not in out, "an empty column is left out"
    assert "better sandbox" not in out
    assert "notice" not in out


def test_tables_have_what_the_user_should_know(capsys: pytest.CaptureFixture[str]):
    report = replace(
        report_of(sample(0, passed=True)),
        instruction_set="avx2",
        notices=("The kernels are missing.", HOSTILE_TEXT),
        sandboxes_passed_over=(f"bubblewrap: no user namespaces {HOSTILE_TEXT}",),
    )
    print_report(report)
    out, _ = capsys.readouterr()
    assert "a-model (cpu, int8, avx2)" in out
    assert "The kernels are missing." in out
    assert "bubblewrap: no user namespaces" in out
    assert not {"\x1b", "\x07", "\u202e"} & set(out)


def test_samples_on_which_the_checks_differ_are_named(capsys: pytest.CaptureFixture[str]):
    print_report(report_of(sample(7, passed=False, upstream=True), sample(8, passed=True, upstream=True)))
    out, _ = capsys.readouterr()
    assert "on 1: HumanEval/7" in out


def test_variants_and_temperatures_have_columns(capsys: pytest.CaptureFixture[str]):
    scores = (Score("pass@1", 0.5, 0.4, 0.6, 164, variant="CRLF", temperature=0.2),)
    print_report(report_of(sample(0, passed=True), scores=scores))
    out, _ = capsys.readouterr()
    assert "CRLF" in out
    assert "0.2" in out


def test_model_text_cannot_control_the_terminal(capsys: pytest.CaptureFixture[str]):
    print_report(report_of(sample(0, passed=False, error=f"{HOSTILE_TEXT}: boo")), to_stderr=True)
    out, err = capsys.readouterr()
    assert not out
    assert "[red]x[/red]" in err
    assert "\\x1b[2J\\x07\\u202e" in err
    assert not {"\x1b", "\x07", "\u202e"} & set(err)


def test_shown_leaves_plain_text_alone():
    assert shown("naïve 数 x[0]") == "naïve 数 x[0]"


def test_bar_counts_from_many_threads():
    with ScoreBar(40) as bar:
        threads = [
            threading.Thread(target=bar.checked, args=[sample(n, passed=n % 2 == 0)]) for n in range(40)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    task = bar._progress.tasks[0]
    assert (task.completed, task.description) == (40, "pass@1  50.0%")
