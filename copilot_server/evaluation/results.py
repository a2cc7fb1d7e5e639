"""The plain values of a run: what was written, what came of it, and what that amounts to."""

from __future__ import annotations

from dataclasses import dataclass

from copilot_server.evaluation.tasks import Task
from copilot_server.sandbox import Check, ProgramResult


@dataclass(frozen=True, slots=True)
class Sample:
    """One completion. Its text is the model's: escape it before showing it.

    ``index``: its place among the samples of its task at its temperature.
    ``temperature``: 0 is greedy; None if samples made elsewhere do not say.
    ``replaced``: how many code points after the cursor it is put in over.
    ``mean_logprob``, ``tokens``: of what the model wrote, at temperature 1; None for samples made elsewhere.
    """

    task_id: str
    index: int
    temperature: float | None
    completion: str
    protocol: str = ""
    finish_reason: str = ""
    replaced: int = 0
    mean_logprob: float | None = None
    tokens: int | None = None


@dataclass(frozen=True, slots=True)
class Checked:
    """A sample and what came of running it.

    ``result`` is by the check that counts; ``upstream`` by the original harness's rules, where it was run
    beside a strict check.
    """

    sample: Sample
    result: ProgramResult
    upstream: ProgramResult | None = None

    @property
    def passed(self) -> bool:
        """Whether it counts as correct."""
        return self.result.passed


@dataclass(frozen=True, slots=True)
class Score:
    """One figure of a run: a share from 0 to 1 (a difference from -1 to 1) with its 95 % interval.

    ``tasks``: how many tasks it is over. ``note``: what a reader must know to read it.
    """

    name: str
    value: float
    low: float
    high: float
    tasks: int
    variant: str = ""
    temperature: float | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds on the wall: loading the model, then from the first prompt to the last verdict.

    ``sampling_s`` ends with the last completion; checking goes on beside it. ``checking_s`` is the sum over
    the programs of both checks. ``tokens`` were written in that time, so those that an earlier run had drawn
    are not among them.
    """

    loading_s: float
    sampling_s: float
    wall_s: float
    checking_s: float
    tokens: int


@dataclass(frozen=True, slots=True)
class Protocol:
    """How the samples were drawn and checked: with the same values a run can be had again."""

    benchmark: str
    data: str
    data_sha256: str
    model: str
    device: str
    dtype: str
    prompt: str
    samples: int
    temperatures: tuple[float, ...]
    top_p: float
    seed: int
    max_new_tokens: int
    check: Check
    sandbox: str


@dataclass(frozen=True, slots=True)
class Report:
    """A whole run.

    ``parameters``: of the model, None if not known. ``command``: what to type to have the run again.
    ``notes``: sentences that belong beside the scores.
    """

    protocol: Protocol
    parameters: int | None
    started: str
    command: str
    hardware: str
    versions: dict[str, str]
    timing: Timing
    scores: tuple[Score, ...]
    tasks: tuple[Task, ...]
    samples: tuple[Checked, ...]
    notes: tuple[str, ...] = ()
