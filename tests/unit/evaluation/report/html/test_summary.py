"""The top and the bottom of the page as text."""

from __future__ import annotations

from dataclasses import replace

from copilot_server.evaluation.report.html.summary import (
    header,
    headline_score,
    reproduction,
    score_table,
    title,
)
from copilot_server.evaluation.types import Score
from tests.support.reports import a_report, humaneval_tasks

REPORT = a_report(humaneval_tasks()[:20])
SCORE = Score("pass@1", 0.5, 0.4, 0.6, 20)


def test_the_headline_is_the_best_pass_at_1_of_the_whole():
    grid = (replace(SCORE, temperature=0.2), replace(SCORE, temperature=0.8, value=0.6))
    part = replace(SCORE, variant="CRLF", value=0.9)
    assert headline_score(replace(REPORT, scores=(part, *grid))) == grid[1]
    assert headline_score(replace(REPORT, scores=(part,))) == part
    assert headline_score(replace(REPORT, scores=())) is None


def test_a_report_without_scores_has_a_page():
    empty = replace(REPORT, scores=(), samples=())
    assert title(empty) == "qwen2.5-coder-0.5b: on humaneval"
    assert 'class="figure"' not in header(empty)
    assert score_table(empty) == ""


def test_the_device_has_its_instruction_set_where_it_is_known():
    assert "cpu, int8 · " in header(REPORT)
    assert "instruction set" not in reproduction(REPORT)
    known = replace(REPORT, instruction_set="avx2")
    assert "cpu, int8, avx2 · " in header(known)
    assert "<dt>instruction set</dt><dd>avx2</dd>" in reproduction(known)


def test_what_the_user_should_know_is_beside_the_sandbox():
    assert "notice" not in reproduction(REPORT)
    report = replace(REPORT, notices=("Kernels are <missing>.",), sandboxes_passed_over=("bubblewrap: <no>",))
    shown = reproduction(report)
    assert "<dt>notice</dt><dd>Kernels are &lt;missing&gt;.</dd>" in shown
    assert "<dt>better sandbox</dt><dd>bubblewrap: &lt;no&gt;</dd>" in shown
    assert shown.index("<dt>sandbox</dt>") < shown.index("<dt>better sandbox</dt>")
