"""Which plots a report has."""

from __future__ import annotations

import re
from dataclasses import replace

from copilot_server.evaluation.report.html.figures import figures
from copilot_server.evaluation.types import Report, Score
from tests.support.reports import a_report, humaneval_tasks


def names(report: Report) -> list[str]:
    return re.findall(r'<figure class="card [^"]*" id="([^"]+)"', figures(report))


def test_a_greedy_run_is_shown_among_published_models():
    assert names(a_report()) == ["published-1"]


def test_a_part_of_the_problems_or_another_set_is_not():
    assert names(a_report(humaneval_tasks()[:20])) == []
    report = a_report()
    assert names(replace(report, parameters=None)) == []
    assert names(replace(report, protocol=replace(report.protocol, data_sha256="00"))) == []
    assert names(replace(report, protocol=replace(report.protocol, benchmark="robustness"))) == []


def test_samples_at_several_temperatures_have_curves_and_rankings():
    report = a_report(samples=10, temperatures=(0.2, 0.8))
    assert names(report) == ["published-1", "published-10", "by-temperature", "by-k", "ranking"]


def test_chained_blocks_have_a_curve():
    scores = tuple(
        Score("pass@1", 1 / blocks, 0.0, 1.0, 26, f"{blocks} block{'s' * (blocks > 1)}", 0.0)
        for blocks in (1, 2, 3)
    )
    report = replace(a_report(humaneval_tasks()[:3]), scores=scores)
    assert names(report) == ["by-blocks"]
    assert "chained building blocks" in figures(report)


def test_names_from_a_report_are_escaped():
    report = a_report()
    hostile = replace(report, protocol=replace(report.protocol, model="<script>", prompt="<img>"))
    assert "<script>" not in figures(hostile)
    assert "<img>" not in figures(hostile)
