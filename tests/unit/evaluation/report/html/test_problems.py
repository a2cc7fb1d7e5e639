"""The grid, the failures and the differences as HTML."""

from __future__ import annotations

from dataclasses import replace

from copilot_server.evaluation.report.html.problems import problems
from copilot_server.sandbox import ProgramResult
from tests.support.reports import checked, humaneval_tasks, of_samples

TASKS = humaneval_tasks()[:3]


def test_a_failed_problem_links_to_its_failure():
    html = problems(of_samples(TASKS, [checked(TASKS[0], 0, 0.0), checked(TASKS[1], 0, 0.0, failure=0)]))
    assert '<span class="cell l10" title="HumanEval/0: 1 of 1 sample passed">0</span>' in html
    assert '<a class="cell l0" href="#f1"' in html
    assert '<details class="failure" id="f1"' in html
    assert "1 sample of 1 task failed: AssertionError 1." in html


def test_a_cell_is_full_or_empty_only_for_all_and_none():
    samples = [checked(TASKS[0], index, 0.8, failure=None if index else 0) for index in range(30)]
    assert 'class="cell l9" href="#f1"' in problems(of_samples(TASKS, samples))


def test_without_samples_and_failures_there_are_no_sections():
    assert problems(of_samples([], [])) == ""
    html = problems(of_samples(TASKS[:1], [checked(TASKS[0], 0, 0.0)]))
    assert 'id="failures"' not in html


def test_untrusted_text_is_escaped():
    one = checked(TASKS[0], 0, 0.0, failure=0)
    hostile = "</pre><script>alert(1)</script>\x1b"
    one = replace(
        one,
        sample=replace(one.sample, completion=hostile),
        result=replace(one.result, error=f"E: {hostile}", output=hostile, assertion=hostile),
    )
    html = problems(of_samples(TASKS[:1], [one]))
    assert html.count("&lt;script&gt;") >= 4
    assert "<script>" not in html
    assert "\x1b" not in html


def test_differences_between_the_checks_have_both_verdicts():
    one = checked(TASKS[0], 0, 0.0, failure=0)
    assert "every sample the same verdict" in problems(of_samples(TASKS[:1], [one]))
    cheated = replace(one, upstream=ProgramResult(passed=True, error="", wall_s=0.1))
    html = problems(of_samples(TASKS[:1], [cheated]))
    assert "give 1 sample of 1 another verdict" in html
    assert "strict: failed, upstream: passed" in html
    assert 'id="differences"' not in problems(of_samples(TASKS[:1], [replace(one, upstream=None)]))
