"""``copilot-server --selftest humaneval``: from flags to a table and an exit code."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from pathlib import Path

from copilot_server.config import Settings
from copilot_server.errors import ConfigError
from copilot_server.humaneval.problems import Problem, load_problems
from copilot_server.humaneval.report import STDOUT, Report, ScoreBar, print_table, tell, write_json
from copilot_server.humaneval.runner import BatchPipeline, Writer, raw_writer, run_problems, served_writer
from copilot_server.sandbox import Sandbox, open_sandbox

BENCHMARKS = ("humaneval",)

EXIT_BELOW_THRESHOLD = 10
#: What a shell reports for a process that SIGINT ended.
EXIT_INTERRUPTED = 130


@dataclass(frozen=True, slots=True)
class SelftestOptions:
    """What to measure and what to do with the score.

    ``limit``: only the first so many problems. ``raw``: the bare model, without the pipeline.
    ``min_pass_at_1``: a share from 0 to 1 below which the run fails. ``max_new_tokens``: instead of the
    settings' own.
    """

    benchmark: str = "humaneval"
    limit: int | None = None
    raw: bool = False
    json_path: Path | None = None
    min_pass_at_1: float | None = None
    allow_unsandboxed: bool = False
    batch_size: int = 32
    max_new_tokens: int | None = None


def run(settings: Settings, options: SelftestOptions) -> int:
    """Run the benchmark, print its table, write its JSON; return the process's exit code.

    Everything that can be wrong is found before the model loads, which is slow.

    Raises:
        ConfigError: an option is wrong, or the JSON cannot be written.
        DataError: the problems are missing or not the original.
        SandboxUnavailableError: nothing here can run the programs safely.
        ModelError: the model cannot be had.
        EngineError: the model cannot run.
    """
    _check(options)
    problems = load_problems()[: options.limit]
    try:
        with open_sandbox(allow_unsandboxed=options.allow_unsandboxed) as sandbox:
            report = _measure(settings, options, problems, sandbox)
    except KeyboardInterrupt:
        tell("Interrupted.")
        return EXIT_INTERRUPTED
    print_table(report, to_stderr=options.json_path == STDOUT)
    if options.json_path is not None:
        write_json(report, options.json_path)
    return _exit_code(report, options.min_pass_at_1)


def _check(options: SelftestOptions) -> None:
    if options.benchmark not in BENCHMARKS:
        known = ", ".join(BENCHMARKS)
        raise ConfigError(f"There is no benchmark {options.benchmark!r}.", remedy=f"Known: {known}.")
    for name, value in (
        ("limit", options.limit),
        ("batch size", options.batch_size),
        ("number of new tokens", options.max_new_tokens),
    ):
        if value is not None and value < 1:
            raise ConfigError(f"The {name} is {value}.", remedy="It must be 1 or more.")
    threshold = options.min_pass_at_1
    if threshold is not None and not 0 <= threshold <= 1:
        message = f"The lowest pass@1 to accept is {threshold}."
        raise ConfigError(message, remedy="It is a share, from 0 to 1: 0.56 for 56 %.")
    _check_json_path(options.json_path)


def _check_json_path(path: Path | None) -> None:
    if path is None or path == STDOUT:
        return
    if path.is_dir():
        raise ConfigError(f"{path} is a folder.", remedy="Name a file to write the results to.")
    if not path.parent.is_dir():
        raise ConfigError(f"The folder {path.parent} does not exist.", remedy="Make it first.")


def _measure(
    settings: Settings, options: SelftestOptions, problems: list[Problem], sandbox: Sandbox
) -> Report:
    # Loads torch: only once everything else is known to work.
    from copilot_server.completion.pipeline import open_pipeline  # noqa: PLC0415

    tell(f"Sandbox: {sandbox.tier}. Loading {settings.model} ...")
    pipeline = open_pipeline(settings)
    cancel = threading.Event()
    start = time.monotonic()
    with ScoreBar(len(problems)) as bar:
        writer = _writer(pipeline, settings, options)
        samples = run_problems(problems, writer, sandbox, cancel, bar.checked)
    return Report(
        benchmark=options.benchmark,
        model=pipeline.model_id,
        device=pipeline.engine.device,
        dtype=pipeline.engine.dtype,
        sandbox=sandbox.tier,
        wall_s=time.monotonic() - start,
        samples=tuple(samples),
    )


def _writer(pipeline: BatchPipeline, settings: Settings, options: SelftestOptions) -> Writer:
    max_new_tokens = options.max_new_tokens or settings.completion.max_new_tokens
    if options.raw:
        return raw_writer(pipeline.engine, max_new_tokens=max_new_tokens, batch_size=options.batch_size)
    return served_writer(pipeline, max_new_tokens=max_new_tokens, batch_size=options.batch_size)


def _exit_code(report: Report, min_pass_at_1: float | None) -> int:
    if min_pass_at_1 is None or report.pass_at_1 >= min_pass_at_1:
        return 0
    tell(f"pass@1 {report.pass_at_1:.1%} is below the {min_pass_at_1:.1%} asked for.")
    return EXIT_BELOW_THRESHOLD
