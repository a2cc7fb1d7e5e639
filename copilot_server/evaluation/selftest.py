"""``copilot-server --selftest``: the stages of a run in order, from its tasks to its report."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

from copilot_server.config import Settings
from copilot_server.evaluation.benchmarks import BENCHMARKS
from copilot_server.evaluation.execution import Checker
from copilot_server.evaluation.options import STDOUT, SelftestOptions, check_options
from copilot_server.evaluation.problems import needs
from copilot_server.evaluation.report.build import Facts, build_report
from copilot_server.evaluation.report.console import ScoreBar, notify, print_report
from copilot_server.evaluation.report.folder import make_report_folder, write_json, write_report
from copilot_server.evaluation.samples_file import FileSource
from copilot_server.evaluation.sampling import ModelSource
from copilot_server.evaluation.scores import best_pass_at_1, scores_of, verified_scores
from copilot_server.evaluation.tasks import load_problem_set, make_tasks
from copilot_server.evaluation.types import (
    Checked,
    Report,
    Sample,
    SamplingRequest,
    Source,
    SourceFacts,
    Task,
    Verification,
)
from copilot_server.evaluation.verification import Position, Verifier
from copilot_server.sandbox import Limits, Sandbox, open_sandbox

EXIT_BELOW_THRESHOLD = 10
#: What a shell reports for a process that SIGINT ended.
EXIT_INTERRUPTED = 130


def run(settings: Settings, options: SelftestOptions) -> int:
    """Run the benchmark, print its tables, write its files, and return the process's exit status.

    Loading the model is slow, so every other error is found before it.

    Raises:
        ConfigError: an option is wrong, or a file cannot be written.
        DataError: the problems or the samples are missing or malformed.
        SandboxUnavailableError: no sandbox works on this machine.
        ModelError: the model cannot be had.
        EngineError: the model cannot run.
    """
    check_options(options, BENCHMARKS)
    if options.report is not None:
        make_report_folder(options.report)
    try:
        report = evaluate(settings, options)
    except KeyboardInterrupt:
        resuming = f" The same command resumes it from {options.report}." if options.report else ""
        notify(f"Interrupted.{resuming}")
        return EXIT_INTERRUPTED
    _publish(report, options)
    return _exit_status(report, options.min_pass_at_1)


def evaluate(settings: Settings, options: SelftestOptions) -> Report:
    """Run the stages, and return what came of them.

    Raises:
        CopilotServerError: see ``run``.
    """
    started = datetime.now(UTC).isoformat(timespec="seconds")
    benchmark = BENCHMARKS[options.benchmark]
    problem_set = load_problem_set(options)
    preload = needs(problem_set.problems)
    with open_sandbox(allow_unsandboxed=options.allow_unsandboxed, preload=preload) as sandbox:
        passed_over = tuple(map(str, sandbox.passed_over))
        tasks = make_tasks(options, problem_set, sandbox)
        source: Source = (
            ModelSource(settings, options, tasks, problem_set.sha256)
            if options.samples_file is None
            else FileSource(options.samples_file, tasks, options.ks)
        )
        for reason in passed_over:
            notify(f"A better sandbox does not work here: {reason}.")
        notify(f"Sandbox: {sandbox.tier}. {source.opening} ...")
        with ScoreBar(source.open()) as bar:
            start = time.monotonic()
            sampled, checked, verification = _sampled_and_checked(source, tasks, sandbox, options, bar)
            wall_s = time.monotonic() - start
        scores = scores_of(tasks, checked, options.ks) + benchmark.scores(tasks, checked, sandbox)
        if verification is not None:
            scores += verified_scores(tasks, verification)
        facts = Facts(started, settings, options, problem_set, sampled, wall_s, sandbox.tier, passed_over)
    return build_report(facts, tasks, checked, scores, verification)


def _sampled_and_checked(
    source: Source, tasks: Sequence[Task], sandbox: Sandbox, options: SelftestOptions, bar: ScoreBar
) -> tuple[SourceFacts, list[Checked], Verification | None]:
    """Sample, and check each sample as soon as it is there."""

    def on_checked(one: Checked) -> None:
        if _is_of_the_run(one, options):
            bar.checked(one)

    limits = replace(Limits(), timeout_s=options.timeout_s)
    checker = Checker(tasks, sandbox, options.check, limits, on_checked)
    if options.verify:
        sampled, verification = _verified(source, tasks, sandbox, checker, options)
    else:
        sampled, verification = source.sample(checker.submit), None
    return sampled, [one for one in checker.results() if _is_of_the_run(one, options)], verification


def _verified(
    source: Source, tasks: Sequence[Task], sandbox: Sandbox, checker: Checker, options: SelftestOptions
) -> tuple[SourceFacts, Verification]:
    """Sample, check each sample against the examples in its prompt, and draw others while one fails."""
    by_id = {task.task_id: task for task in tasks}
    # The verifier gets no tests.
    positions = {name: Position(task.prefix, task.suffix) for name, task in by_id.items()}
    with Verifier(positions, sandbox, options.verify_samples) as verifier:

        def submit(samples: Sequence[Sample]) -> None:
            verifier.submit(samples)
            checker.submit(samples)

        def more() -> list[SamplingRequest]:
            wanted = verifier.more()
            if wanted:
                others = sum(one.count for one in wanted)
                notify(f"Drawing {others} more samples of {len(wanted)} tasks, which fail examples ...")
            return [
                SamplingRequest(by_id[one.task_id], one.temperature, one.first, one.count) for one in wanted
            ]

        sampled = source.sample(submit, more)
        checker.submit(verifier.with_added_imports())
        return sampled, verifier.verification(checker.results())


def _is_of_the_run(one: Checked, options: SelftestOptions) -> bool:
    """Whether pass@k is about a sample: not if ``--verify`` has drawn it or added imports to it."""
    return not options.verify or (one.sample.temperature == 0.0 and not one.sample.has_added_imports)


def _publish(report: Report, options: SelftestOptions) -> None:
    print_report(report, to_stderr=options.json_path == STDOUT)
    if options.report is not None:
        write_report(report, options.report)
        notify(f"The report is in {options.report}.")
    if options.json_path is not None:
        write_json(report, options.json_path)


def _exit_status(report: Report, min_pass_at_1: float | None) -> int:
    if min_pass_at_1 is None:
        return 0
    best = best_pass_at_1(report.scores)
    if best >= min_pass_at_1:
        return 0
    notify(f"pass@1 {best:.1%} is below the required {min_pass_at_1:.1%}.")
    return EXIT_BELOW_THRESHOLD
