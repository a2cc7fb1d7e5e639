"""Problems in, checked samples out: what writes the completions and what checks them work side by side."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Protocol

from copilot_server.completion.types import Completion, CompletionRequest
from copilot_server.context.document import Cursor, Document
from copilot_server.engine.base import Cancel, Engine, Generation, GenerationRequest, Prompt, Sampling
from copilot_server.humaneval.problems import Problem
from copilot_server.sandbox import ProgramResult, Sandbox

#: Where the Codex paper ends a completion (Chen et al. 2021, arXiv 2107.03374, section 2.3).
PAPER_STOPS = ("\nclass", "\ndef", "\n#", "\nif", "\nprint")

#: The protocol's name when the bare model is asked.
RAW_PROTOCOL = "causal (raw)"


class BatchPipeline(Protocol):
    """As much of the completion pipeline as a benchmark needs."""

    @property
    def engine(self) -> Engine:
        """The model by itself."""
        ...

    @property
    def model_id(self) -> str:
        """The model's name in the catalogue, or what the user called it."""
        ...

    def complete_batch(
        self,
        requests: Sequence[CompletionRequest],
        cancel: Cancel,
        on_done: Callable[[int, Completion], None] | None = None,
        *,
        batch_size: int,
    ) -> list[Completion]:
        """Complete at many cursors; ``on_done(index, completion)`` is called as each is done."""
        ...


@dataclass(frozen=True, slots=True)
class Written:
    """What the model put after a problem's prompt, and by which protocol it was asked."""

    text: str
    protocol: str


@dataclass(frozen=True, slots=True)
class Sample:
    """A completion and its verdict. ``completion`` and ``error`` are the model's words: escape them."""

    task_id: str
    completion: str
    protocol: str
    passed: bool
    error: str


OnWritten = Callable[[int, Written], None]
OnChecked = Callable[[Sample], None]
#: Writes a completion for each problem, calling back with the problem's index as each is finished.
Writer = Callable[[Sequence[Problem], Cancel, OnWritten], None]


def served_writer(pipeline: BatchPipeline, *, max_new_tokens: int, batch_size: int) -> Writer:
    """Return what asks as an editor does: a document, the cursor at its end, the whole pipeline."""
    sampling = Sampling(max_new_tokens=max_new_tokens)

    def write(problems: Sequence[Problem], cancel: Cancel, on_written: OnWritten) -> None:
        def on_done(index: int, completion: Completion) -> None:
            text = completion.candidates[0].text if completion.candidates else ""
            on_written(index, Written(text, completion.protocol))

        requests = [CompletionRequest(_cursor(problem), sampling=sampling) for problem in problems]
        pipeline.complete_batch(requests, cancel, on_done, batch_size=batch_size)

    return write


def raw_writer(engine: Engine, *, max_new_tokens: int, batch_size: int) -> Writer:
    """Return what asks the bare model: the prompt as it is, the paper's stops, nothing filtered."""
    sampling = Sampling(max_new_tokens=max_new_tokens)

    def write(problems: Sequence[Problem], cancel: Cancel, on_written: OnWritten) -> None:
        def on_done(index: int, generations: list[Generation]) -> None:
            on_written(index, Written(generations[0].text, RAW_PROTOCOL))

        requests = [
            GenerationRequest(Prompt((problem.prompt,)), sampling, stop=PAPER_STOPS) for problem in problems
        ]
        engine.generate_batch(requests, cancel, on_done, batch_size=batch_size)

    return write


def _cursor(problem: Problem) -> Cursor:
    return Cursor(Document(problem.uri, "python", problem.prompt), len(problem.prompt))


def run_problems(
    problems: Sequence[Problem], write: Writer, sandbox: Sandbox, cancel: Cancel, on_checked: OnChecked
) -> list[Sample]:
    """Write and check a completion for each problem; the samples are in the problems' order.

    A program goes to the sandbox as soon as its completion is written. ``on_checked`` is called by the
    sandbox's workers, in the order in which they finish.
    """
    checks: dict[int, tuple[Written, Future[ProgramResult]]] = {}

    def on_written(index: int, written: Written) -> None:
        problem = problems[index]
        checking = sandbox.submit(problem.program(written.text))
        checks[index] = (written, checking)
        checking.add_done_callback(lambda done: _tell(problem, written, done, on_checked))

    write(problems, cancel, on_written)
    return [
        _sample(problem, written, checking.result())
        for problem, (written, checking) in zip(problems, _in_order(checks), strict=True)
    ]


def _in_order(
    checks: dict[int, tuple[Written, Future[ProgramResult]]],
) -> list[tuple[Written, Future[ProgramResult]]]:
    return [checks[index] for index in sorted(checks)]


def _tell(problem: Problem, written: Written, done: Future[ProgramResult], on_checked: OnChecked) -> None:
    # A cancelled or failed check is not a sample; its future raises where the run waits for it.
    if not done.cancelled() and done.exception() is None:
        on_checked(_sample(problem, written, done.result()))


def _sample(problem: Problem, written: Written, result: ProgramResult) -> Sample:
    return Sample(problem.task_id, written.text, written.protocol, result.passed, result.error)
