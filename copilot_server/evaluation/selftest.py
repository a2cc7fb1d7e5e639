"""``copilot-server --selftest``: from flags to samples, verdicts, a report and an exit code."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from copilot_server import __version__
from copilot_server.completion.pipeline import Pipeline, open_pipeline
from copilot_server.config import Settings
from copilot_server.errors import ConfigError, DataError
from copilot_server.evaluation.benchmarks import BENCHMARKS, Benchmark, Making
from copilot_server.evaluation.execution import Checker
from copilot_server.evaluation.options import STDOUT, SelftestOptions, check_options
from copilot_server.evaluation.problems import ProblemSet, load_problem_file, load_problems, needs
from copilot_server.evaluation.provenance import command, hardware, versions
from copilot_server.evaluation.report.console import ScoreBar, print_report, tell
from copilot_server.evaluation.report.folder import make_report_folder, write_json, write_report
from copilot_server.evaluation.results import Checked, Protocol, Report, Sample, Score, Timing
from copilot_server.evaluation.run_folder import RunFolder, open_run
from copilot_server.evaluation.samples import read_samples
from copilot_server.evaluation.sampling import Drawing, Writer, plan_draws, raw_writer, served_writer
from copilot_server.evaluation.scores import best_temperatures, scores_of
from copilot_server.evaluation.tasks import Task
from copilot_server.sandbox import Limits, Sandbox, open_sandbox

EXIT_BELOW_THRESHOLD = 10
#: What a shell reports for a process that SIGINT ended.
EXIT_INTERRUPTED = 130


def run(settings: Settings, options: SelftestOptions) -> int:
    """Run the benchmark, print its tables, write its files; return the process's exit code.

    Everything that can be wrong is found before the model loads, which is slow.

    Raises:
        ConfigError: an option is wrong, or a file cannot be written.
        DataError: the problems or samples are missing or not what they should be.
        SandboxUnavailableError: nothing here can run the programs safely.
        ModelError: the model cannot be had.
        EngineError: the model cannot run.
    """
    check_options(options, BENCHMARKS)
    if options.report is not None:
        make_report_folder(options.report)
    benchmark = BENCHMARKS[options.benchmark]
    problem_set = load_problems() if options.data is None else load_problem_file(options.data)
    preload = needs(problem_set.problems)
    try:
        with open_sandbox(allow_unsandboxed=options.allow_unsandboxed, preload=preload) as sandbox:
            run = _Run(settings, options, benchmark, problem_set, sandbox)
            report = run.of_samples_file() if options.samples_file else run.of_model()
    except KeyboardInterrupt:
        tell("Interrupted." + (f" The same command goes on from {options.report}." if options.report else ""))
        return EXIT_INTERRUPTED
    print_report(report, to_stderr=options.json_path == STDOUT)
    if options.report is not None:
        write_report(report, options.report)
        tell(f"The report is in {options.report}.")
    if options.json_path is not None:
        write_json(report, options.json_path)
    return _exit_code(report, options.min_pass_at_1)


@dataclass(frozen=True, slots=True)
class _Drawn:
    """What a source of samples says of itself, and how long it took.

    ``kept``: samples that an earlier run had drawn, on which no time was spent. ``tokens``: of the others.
    """

    model: str
    parameters: int | None
    device: str
    dtype: str
    loading_s: float
    sampling_s: float
    wall_s: float
    kept: int = 0
    tokens: int = 0


class _Run:
    """One run of a benchmark: the tasks, then samples of them from a model or a file, and their verdicts."""

    def __init__(
        self,
        settings: Settings,
        options: SelftestOptions,
        benchmark: Benchmark,
        problem_set: ProblemSet,
        sandbox: Sandbox,
    ) -> None:
        self._settings = settings
        self._options = options
        self._benchmark = benchmark
        self._data = problem_set
        self._sandbox = sandbox
        self._started = datetime.now(UTC).isoformat(timespec="seconds")
        self._tasks = self._made_tasks()

    def of_model(self) -> Report:
        """Draw samples from the model, or go on with that, and check them."""
        hosts = self._settings.engine_hosts
        doing = f"Connecting to {hosts}" if hosts else f"Loading {self._settings.model}"
        tell(f"Sandbox: {self._sandbox.tier}. {doing} ...")
        start = time.monotonic()
        pipeline = open_pipeline(self._settings)
        loaded = time.monotonic()
        checked, kept, drawn = self._sampled(pipeline)
        engine = pipeline.engine
        source = _Drawn(
            model=pipeline.model_id,
            parameters=pipeline.parameters,
            device=engine.device,
            dtype=engine.dtype,
            loading_s=loaded - start,
            sampling_s=drawn - loaded,
            wall_s=time.monotonic() - loaded,
            kept=kept,
            tokens=sum(one.sample.tokens or 0 for one in checked[kept:]),
        )
        return self._report(checked, source, self._options.drawn_at)

    def _sampled(self, pipeline: Pipeline) -> tuple[list[Checked], int, float]:
        """Return the samples, how many of them, the first, had been kept, and when the last was drawn."""
        draws = plan_draws(self._tasks, self._options.drawn_at, self._options.samples)
        by_id = {task.task_id: task for task in self._tasks}
        with self._folder(pipeline) as folder, ScoreBar(sum(draw.count for draw in draws)) as bar:
            checker = self._checker(bar)
            wanted = {(d.task.task_id, d.temperature, d.first + i) for d in draws for i in range(d.count)}
            kept = [sample for key, sample in folder.samples.items() if key in wanted]
            for sample in kept:
                checker.submit(by_id[sample.task_id], sample)

            def on_drawn(samples: list[Sample]) -> None:
                for sample in folder.add(samples):
                    checker.submit(by_id[sample.task_id], sample)

            self._writer(pipeline)(folder.missing(draws), threading.Event(), on_drawn)
            drawn = time.monotonic()
            return checker.results(), len(kept), drawn

    def of_samples_file(self) -> Report:
        """Check the samples that others made."""
        path = self._options.samples_file
        assert path is not None  # noqa: S101 - this is what it is called for
        samples = read_samples(path)
        by_id = {task.task_id: task for task in self._tasks}
        _refuse_other_tasks(samples, by_id, path)
        _refuse_too_few(samples, self._options.ks, path)
        tell(f"Sandbox: {self._sandbox.tier}. Checking {len(samples)} samples of {path} ...")
        start = time.monotonic()
        with ScoreBar(len(samples)) as bar:
            checker = self._checker(bar)
            for sample in samples:
                checker.submit(by_id[sample.task_id], sample)
            checked = checker.results()
        source = _Drawn(f"samples of {path.name}", None, "-", "-", 0.0, 0.0, time.monotonic() - start)
        return self._report(checked, source, ())

    def _made_tasks(self) -> list[Task]:
        options = self._options
        if not self._benchmark.from_problems and (options.data or options.limit):
            message = f"{options.benchmark} makes tasks of its own."
            raise ConfigError(message, remedy="Leave out --data and --limit.")
        problems = self._data.problems[: options.limit]
        making = Making(problems, options.seed, options.full, self._sandbox)
        tasks = self._benchmark.tasks(making)
        variants = dict.fromkeys(task.variant for task in tasks)
        for name in options.variants:
            if name not in variants:
                known = ", ".join(filter(None, variants)) or "none"
                message = f"{options.benchmark} has no variant {name!r}."
                raise ConfigError(message, remedy=f"Known: {known}.")
        return [task for task in tasks if not options.variants or task.variant in options.variants]

    def _folder(self, pipeline: Pipeline) -> AbstractContextManager[RunFolder]:
        if self._options.report is None:
            return nullcontext(RunFolder(None))
        return open_run(self._options.report, self._asked(pipeline))

    def _asked(self, pipeline: Pipeline) -> dict[str, Any]:
        """What decides each sample: a run goes on only from one of which all this was the same."""
        completion, options = self._settings.completion, self._options
        return {
            "benchmark": options.benchmark,
            "data_sha256": self._data.sha256,
            "model": pipeline.model_id,
            "device": pipeline.engine.device,
            "dtype": pipeline.engine.dtype,
            "protocol": "raw" if options.raw else completion.protocol,
            "max_prompt_tokens": completion.max_prompt_tokens,
            "max_new_tokens": completion.max_new_tokens,
            "top_p": options.top_p,
            "seed": options.seed,
            "version": __version__,
        }

    def _checker(self, bar: ScoreBar) -> Checker:
        limits = replace(Limits(), timeout_s=self._options.timeout_s)
        return Checker(self._sandbox, self._options.check, limits, bar.checked)

    def _writer(self, pipeline: Pipeline) -> Writer:
        options = self._options
        new_tokens = self._settings.completion.max_new_tokens
        drawing = Drawing(options.seed, options.top_p, new_tokens, options.batch_size)
        return raw_writer(pipeline.engine, drawing) if options.raw else served_writer(pipeline, drawing)

    def _report(self, checked: Sequence[Checked], source: _Drawn, temperatures: tuple[float, ...]) -> Report:
        options = self._options
        order = {task.task_id: place for place, task in enumerate(self._tasks)}
        checked = sorted(checked, key=lambda one: (order[one.sample.task_id], _place(one.sample)))
        scores = self._scores(checked)
        protocol = Protocol(
            benchmark=options.benchmark,
            data=self._data.name,
            data_sha256=self._data.sha256,
            model=source.model,
            device=source.device,
            dtype=source.dtype,
            prompt=_counted(one.sample.protocol for one in checked),
            samples=options.samples if temperatures else _fewest(checked),
            temperatures=temperatures,
            top_p=options.top_p,
            seed=options.seed,
            max_new_tokens=self._settings.completion.max_new_tokens,
            check=options.check,
            sandbox=self._sandbox.tier,
        )
        timing = Timing(
            loading_s=source.loading_s,
            sampling_s=source.sampling_s,
            wall_s=source.wall_s,
            checking_s=_seconds_of_programs(checked),
            tokens=source.tokens,
        )
        return Report(
            protocol=protocol,
            parameters=source.parameters,
            started=self._started,
            command=command(),
            hardware=hardware(),
            versions=versions(),
            timing=timing,
            scores=tuple(scores),
            tasks=tuple(self._tasks),
            samples=tuple(checked),
            notes=(
                *best_temperatures(scores),
                *self._benchmark.notes(self._tasks, checked),
                *_about_kept(source.kept, len(checked)),
            ),
        )

    def _scores(self, checked: Sequence[Checked]) -> list[Score]:
        scores = scores_of(self._tasks, checked, self._options.ks)
        return [*scores, *self._benchmark.scores(self._tasks, checked, self._sandbox)]


def _refuse_other_tasks(samples: Sequence[Sample], tasks: dict[str, Task], path: Path) -> None:
    """Refuse samples of tasks that there are not, and tasks that have no sample: both bend the score."""
    unknown = [name for name in dict.fromkeys(one.task_id for one in samples) if name not in tasks]
    if unknown:
        message = (
            f"{path} has samples of {len(unknown)} tasks that are not in the problem set: {_few(unknown)}."
        )
        raise DataError(message, remedy="Name its problem set with --data, or its benchmark.")
    for temperature in dict.fromkeys(one.temperature for one in samples):
        given = {one.task_id for one in samples if one.temperature == temperature}
        without = [name for name in tasks if name not in given]
        if without:
            at = "" if temperature is None else f" at temperature {temperature:g}"
            told = f"{len(without)} of the {len(tasks)} tasks: {_few(without)}"
            message = f"{path} has no sample{at} of {told}."
            raise DataError(message, remedy="Add them (an empty completion counts as wrong), or use --limit.")


def _refuse_too_few(samples: Iterable[Sample], ks: Sequence[int], path: Path) -> None:
    """Refuse a k that was asked for and of which no figure could be given."""
    counts = Counter((one.task_id, one.temperature) for one in samples)
    (name, _), fewest = min(counts.items(), key=lambda item: item[1])
    if max(ks, default=1) > fewest:
        message = f"pass@{max(ks)} needs as many samples of each task; {path} has {fewest} of {name}."
        raise DataError(message, remedy="Leave out that k, or add samples.")


def _seconds_of_programs(checked: Sequence[Checked]) -> float:
    """How long the programs ran, each counted once: equal samples share theirs."""
    results = [result for one in checked for result in (one.result, one.upstream) if result]
    return sum({id(result): result.wall_s for result in results}.values())


def _about_kept(kept: int, samples: int) -> Iterator[str]:
    if kept:
        yield f"{kept:,} of the {samples:,} samples are an earlier run's; times are of the others."


def _fewest(checked: Sequence[Checked]) -> int:
    """How many samples each task has at the least."""
    return min(Counter(one.sample.task_id for one in checked).values())


def _few(names: Sequence[str]) -> str:
    return ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")


def _place(sample: Sample) -> tuple[float, int]:
    return -1.0 if sample.temperature is None else sample.temperature, sample.index


def _counted(protocols: Iterable[str]) -> str:
    """The protocols used; with how many samples each had, if they are several."""
    counts = Counter(name or "unknown" for name in protocols).most_common()
    if len(counts) == 1:
        return counts[0][0]
    return ", ".join(f"{name} ({count})" for name, count in counts)


def _exit_code(report: Report, min_pass_at_1: float | None) -> int:
    if min_pass_at_1 is None:
        return 0
    # Of several temperatures, the best: it is what a user would choose.
    first = next(score for score in report.scores if score.name == "pass@1")
    rivals = [one for one in report.scores if one.name == "pass@1" and one.variant == first.variant]
    best = max(one.value for one in rivals)
    if best >= min_pass_at_1:
        return 0
    tell(f"pass@1 {best:.1%} is below the {min_pass_at_1:.1%} asked for.")
    return EXIT_BELOW_THRESHOLD
