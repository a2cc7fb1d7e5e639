"""The report of a run, put together from what its stages found."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from copilot_server.config import Settings
from copilot_server.evaluation.benchmarks import BENCHMARKS
from copilot_server.evaluation.options import SelftestOptions
from copilot_server.evaluation.problems import ProblemSet
from copilot_server.evaluation.report.verdicts import drawn
from copilot_server.evaluation.scores import best_temperatures
from copilot_server.evaluation.types import (
    Checked,
    Report,
    RunSettings,
    Score,
    SourceFacts,
    Task,
    Timing,
    Verification,
)
from copilot_server.provenance import command, hardware, versions


@dataclass(frozen=True, slots=True)
class Facts:
    """How a run went, apart from its samples and their verdicts."""

    started: str
    settings: Settings
    options: SelftestOptions
    problem_set: ProblemSet
    source: SourceFacts
    wall_s: float
    sandbox: str
    sandboxes_passed_over: tuple[str, ...] = ()


def build_report(
    facts: Facts,
    tasks: Sequence[Task],
    checked: Sequence[Checked],
    scores: Sequence[Score],
    verification: Verification | None = None,
) -> Report:
    """Return the report of a run."""
    benchmark = BENCHMARKS[facts.options.benchmark]
    return Report(
        protocol=_run_settings(facts, checked),
        parameters=facts.source.parameters,
        started=facts.started,
        command=command(),
        hardware=hardware(),
        versions=versions(),
        timing=_timing(facts, checked),
        scores=tuple(scores),
        tasks=tuple(tasks),
        samples=tuple(checked),
        notes=(
            *best_temperatures(scores),
            *benchmark.notes(tasks, checked),
            *_about_kept(facts.source.kept, len(drawn(verification) if verification else checked)),
        ),
        notices=facts.source.notices,
        instruction_set=facts.source.instruction_set,
        sandboxes_passed_over=facts.sandboxes_passed_over,
        verification=verification,
    )


def _run_settings(facts: Facts, checked: Sequence[Checked]) -> RunSettings:
    options, source = facts.options, facts.source
    return RunSettings(
        benchmark=options.benchmark,
        data=facts.problem_set.name,
        data_sha256=facts.problem_set.sha256,
        model=source.model,
        device=source.device,
        dtype=source.dtype,
        prompt=_counted(one.sample.protocol for one in checked),
        samples=options.samples if source.temperatures else _fewest(checked),
        temperatures=source.temperatures,
        top_p=options.top_p,
        seed=options.seed,
        max_new_tokens=facts.settings.completion.max_new_tokens,
        check=options.check,
        sandbox=facts.sandbox,
    )


def _timing(facts: Facts, checked: Sequence[Checked]) -> Timing:
    return Timing(
        loading_s=facts.source.loading_s,
        sampling_s=facts.source.sampling_s,
        wall_s=facts.wall_s,
        checking_s=_checking_s(checked),
        tokens=facts.source.tokens,
    )


def _checking_s(checked: Sequence[Checked]) -> float:
    """Return how long the programs ran. Equal samples share a program, which counts once."""
    results = [result for one in checked for result in (one.result, one.upstream) if result]
    return sum({id(result): result.wall_s for result in results}.values())


def _about_kept(kept: int, samples: int) -> Iterator[str]:
    if kept:
        yield (f"{kept:,} of the {samples:,} samples come from an earlier run; the times are of the others.")


def _fewest(checked: Sequence[Checked]) -> int:
    """Return the number of samples of the task that has the fewest."""
    return min(Counter(one.sample.task_id for one in checked).values())


def _counted(protocols: Iterable[str]) -> str:
    """Return the prompt protocols that were used; if there are several, with the samples of each counted."""
    counts = Counter(name or "unknown" for name in protocols).most_common()
    if len(counts) == 1:
        return counts[0][0]
    return ", ".join(f"{name} ({count})" for name, count in counts)
