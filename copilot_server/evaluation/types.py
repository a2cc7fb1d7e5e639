"""The values that pass between the stages of a run. All of them are immutable."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from copilot_server.completion.examples.types import Outcome, together
from copilot_server.config import PromptProtocolSetting
from copilot_server.sandbox import Check, Program, ProgramResult


@dataclass(frozen=True, slots=True)
class Task:
    """One position to complete at: the document is ``prefix + suffix``, with the cursor between them.

    Attributes:
        task_id: the name of the task, unique in its benchmark.
        problem_id: the problem that the task was made from. Tasks of one problem are not independent, so
            confidence intervals are taken over problems.
        prefix: the text before the cursor.
        suffix: the text after the cursor.
        canonical: the reference completion; empty where none is known.
        entry_point: the function that the test calls.
        test: Python source that defines ``check(candidate)``.
        setup: trusted source that the test may use, such as the helper functions in a prompt.
        variant: the part of the benchmark that the task belongs to, such as ``multi-line`` or ``CRLF``. Each
            variant has scores of its own.
        protocol: the prompt protocol; ``auto`` follows the settings.
    """

    task_id: str
    problem_id: str
    prefix: str
    suffix: str
    canonical: str
    entry_point: str
    test: str
    setup: str = ""
    variant: str = ""
    protocol: PromptProtocolSetting = "auto"

    @property
    def uri(self) -> str:
        """The URI of the task's document, such as ``humaneval:///HumanEval_0.py``."""
        return f"humaneval:///{self.task_id.replace('/', '_')}.py"

    def program(self, completion: str, replaced: int = 0) -> Program:
        """Return the program that checks a completion.

        The completion replaces the first ``replaced`` code points after the cursor.
        """
        solution = f"{self.prefix}{completion}{self.suffix[replaced:]}"
        return Program(solution, self.test, self.entry_point, self.setup)


@dataclass(frozen=True, slots=True)
class Sample:
    """One completion. The model wrote its text, so escape it before showing it.

    Attributes:
        index: which sample it is among those of its task at its temperature, from 0.
        temperature: 0 is greedy; None where a samples file does not say.
        protocol: the prompt protocol that was used.
        replaced: how many code points after the cursor the completion replaces.
        mean_logprob: the mean natural-log probability of its tokens at temperature 1; None if not known.
        tokens: how many tokens the model generated; None if not known.
        has_added_imports: whether the completion was given imports for want of which an example failed.
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
    has_added_imports: bool = False


@dataclass(frozen=True, slots=True)
class SamplingRequest:
    """``count`` samples of one task at one temperature, from index ``first`` on, that share a prefill."""

    task: Task
    temperature: float
    first: int
    count: int


@dataclass(frozen=True, slots=True)
class Checked:
    """A sample and the result of running it.

    Attributes:
        result: the verdict that counts.
        upstream: the verdict by the rules of OpenAI's harness, which runs beside a strict check.
    """

    sample: Sample
    result: ProgramResult
    upstream: ProgramResult | None = None

    @property
    def passed(self) -> bool:
        """Whether the sample counts as correct."""
        return self.result.passed


@dataclass(frozen=True, slots=True)
class ExampleResult:
    """An example in a prompt, as it stands there, and what came of it for one sample.

    ``said``: what the sample did instead, or why the example was not checked. It comes from the program:
    escape it before showing it.
    """

    text: str
    verdict: Outcome
    said: str = ""


@dataclass(frozen=True, slots=True)
class Draw:
    """A sample that was checked against the examples in its prompt, and afterwards by the hidden test.

    ``examples`` is empty where the prompt has none.
    """

    checked: Checked
    examples: tuple[ExampleResult, ...]

    @property
    def outcome(self) -> Outcome:
        """What the examples say together."""
        return together(one.verdict for one in self.examples)


@dataclass(frozen=True, slots=True)
class Choice:
    """The samples that were drawn of a task, in their order, and the index of the one that was chosen."""

    task_id: str
    draws: tuple[Draw, ...]
    chosen: int

    @property
    def choice(self) -> Draw:
        """The sample that was chosen."""
        return self.draws[self.chosen]


@dataclass(frozen=True, slots=True)
class Verification:
    """What became of the tasks when samples were chosen by the examples in the prompts.

    Attributes:
        budget: the most samples that were drawn of a task.
        drawing_s: the seconds that the samples after the first of each task took, with their checks.
    """

    budget: int
    drawing_s: float
    choices: tuple[Choice, ...]


@dataclass(frozen=True, slots=True)
class Score:
    """One figure with its 95 % confidence interval: a share from 0 to 1, or a difference from -1 to 1.

    Attributes:
        tasks: the number of tasks that it was computed from.
        note: what a reader must know to interpret it.
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
    """Durations in seconds of wall time, and the number of tokens generated.

    Attributes:
        loading_s: loading the model.
        sampling_s: from the first prompt to the last completion. Programs run in the meantime.
        wall_s: from the first prompt to the last verdict.
        checking_s: the running times of all programs added up, for both checks.
        tokens: generated during ``sampling_s``. Samples that an earlier run generated do not count.
    """

    loading_s: float
    sampling_s: float
    wall_s: float
    checking_s: float
    tokens: int


@dataclass(frozen=True, slots=True)
class RunSettings:
    """How the samples were generated and checked: ``protocol`` in the JSON. The same values reproduce a run.

    Attributes:
        prompt: the prompt protocol; with the number of samples of each if there were several.
        samples: of each task at each temperature.
        temperatures: empty for a samples file.
        sandbox: the sandbox that ran the programs.
    """

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

    Attributes:
        parameters: the number of the model's parameters; None if not known.
        started: when the run started, in ISO 8601.
        command: the command line that reproduces the run.
        hardware: the machine in one line.
        instruction_set: the processor's instructions that the engine used, such as ``avx2``; empty if the
            engine did not say.
        versions: of Python and of the packages that can change a score.
        notes: sentences to show beside the scores.
        notices: what the user should know about the engine, such as that its kernels are missing.
        sandboxes_passed_over: the better sandboxes that did not work, each with the reason.
        verification: what choosing by the examples in the prompts came to, where ``--verify`` asked for it.
    """

    protocol: RunSettings
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
    notices: tuple[str, ...] = ()
    instruction_set: str = ""
    sandboxes_passed_over: tuple[str, ...] = ()
    verification: Verification | None = None

    @property
    def device_details(self) -> list[str]:
        """The device, the number format and, if it is known, the instruction set."""
        return [one for one in (self.protocol.device, self.protocol.dtype, self.instruction_set) if one]


@dataclass(frozen=True, slots=True)
class SourceFacts:
    """What is known about the source of a run's samples, once all of them are there.

    Attributes:
        model: its name; for a samples file, the file's.
        instruction_set: the processor's instructions that the engine uses, such as ``avx2``; empty if the
            engine does not say.
        temperatures: those that were sampled at; empty for a samples file.
        notices: what the user should know about the engine.
        kept: how many samples an earlier run generated, on which no time was spent.
        tokens: generated for the other samples.
    """

    model: str
    parameters: int | None = None
    device: str = "-"
    dtype: str = "-"
    instruction_set: str = ""
    temperatures: tuple[float, ...] = ()
    notices: tuple[str, ...] = ()
    loading_s: float = 0.0
    sampling_s: float = 0.0
    kept: int = 0
    tokens: int = 0


#: Takes samples as they come, to be checked.
Submit = Callable[[Sequence[Sample]], None]
#: Says which samples to draw next, once all that were asked for have been submitted; none to end.
FollowUp = Callable[[], Sequence[SamplingRequest]]


class Source(Protocol):
    """Where the samples of a run come from: a model, or a file."""

    @property
    def opening(self) -> str:
        """What ``open`` does, for the user to read while it takes time."""
        ...

    def open(self) -> int:
        """Get ready; return the number of samples that ``sample`` will submit."""
        ...

    def sample(self, submit: Submit, more: FollowUp | None = None) -> SourceFacts:
        """Submit every sample, and return what is known about them.

        A model's source then asks ``more``, again and again, for which others to draw.
        """
        ...
