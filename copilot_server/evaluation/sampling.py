"""Samples from the model: through the very pipeline that answers an editor, or from the bare model."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from copilot_server.completion.pipeline import Pipeline
from copilot_server.completion.types import Candidate, Completion, CompletionRequest
from copilot_server.context.document import Cursor, Document
from copilot_server.engine.base import Cancel, Engine, Generation, GenerationRequest, Prompt, Sampling
from copilot_server.errors import ConfigError
from copilot_server.evaluation.results import Sample
from copilot_server.evaluation.tasks import Task

#: Where the Codex paper ends a completion (Chen et al. 2021, arXiv 2107.03374, section 2.3).
PAPER_STOPS = ("\nclass", "\ndef", "\n#", "\nif", "\nprint")

#: The protocol's name when the bare model is asked.
RAW_PROTOCOL = "causal (raw)"

#: Samples of one task that are drawn together, from one prefill; the next chunk finds it in the prefix cache.
CHUNK = 32


@dataclass(frozen=True, slots=True)
class Draw:
    """Samples of one task at one temperature that are drawn together: ``count``, from index ``first`` on."""

    task: Task
    temperature: float
    first: int
    count: int


@dataclass(frozen=True, slots=True)
class Drawing:
    """What every draw of a run has in common.

    A sample hangs on ``seed``, its task, temperature and index alone, so drawing more samples, or the missing
    ones of an interrupted run, gives those that one long run would have given.
    """

    seed: int
    top_p: float
    max_new_tokens: int
    batch_size: int

    def sampling(self, draw: Draw) -> Sampling:
        """How the samples of ``draw`` are drawn."""
        name = f"{self.seed}/{draw.task.task_id}/{draw.temperature!r}/{draw.first}"
        digest = hashlib.blake2b(name.encode(), digest_size=8).digest()
        return Sampling(
            temperature=draw.temperature,
            top_p=self.top_p if draw.temperature else 1.0,
            seed=int.from_bytes(digest, "big"),
            n=draw.count,
            max_new_tokens=self.max_new_tokens,
        )


OnDrawn = Callable[[list[Sample]], None]
#: Draws, calling back with each draw's samples as they are finished.
Writer = Callable[[Sequence[Draw], Cancel, OnDrawn], None]


def plan_draws(tasks: Sequence[Task], temperatures: Sequence[float], samples: int) -> list[Draw]:
    """The draws that give each task ``samples`` samples at each temperature."""
    return [
        Draw(task, temperature, first, min(CHUNK, samples - first))
        for task in tasks
        for temperature in temperatures
        for first in range(0, samples, CHUNK)
    ]


def served_writer(pipeline: Pipeline, drawing: Drawing) -> Writer:
    """Return what asks as an editor does: a document, the cursor in it, the whole pipeline."""

    def write(draws: Sequence[Draw], cancel: Cancel, on_drawn: OnDrawn) -> None:
        def on_done(index: int, completion: Completion) -> None:
            if not completion.cancelled:
                on_drawn(_samples(draws[index], completion.drawn, completion.protocol))

        requests = [_request(draw, drawing.sampling(draw)) for draw in draws]
        pipeline.complete_batch(requests, cancel, on_done, batch_size=drawing.batch_size)

    return write


def raw_writer(engine: Engine, drawing: Drawing) -> Writer:
    """Return what asks the bare model: the prompt as it is, the paper's stops, nothing filtered."""

    def write(draws: Sequence[Draw], cancel: Cancel, on_drawn: OnDrawn) -> None:
        def on_done(index: int, generations: list[Generation]) -> None:
            if all(one.finish_reason != "cancelled" for one in generations):
                drawn = [_unfiltered(one) for one in generations]
                on_drawn(_samples(draws[index], drawn, RAW_PROTOCOL))

        requests = [_raw_request(draw, drawing.sampling(draw)) for draw in draws]
        engine.generate_batch(requests, cancel, on_done, batch_size=drawing.batch_size)

    return write


def _request(draw: Draw, sampling: Sampling) -> CompletionRequest:
    task = draw.task
    cursor = Cursor(Document(task.uri, "python", task.prefix + task.suffix), len(task.prefix))
    protocol = None if task.protocol == "auto" else task.protocol
    return CompletionRequest(cursor, sampling=sampling, protocol=protocol)


def _raw_request(draw: Draw, sampling: Sampling) -> GenerationRequest:
    task = draw.task
    if task.suffix or task.protocol != "auto":
        raise ConfigError(
            f"{task.task_id} is not for the bare model, which only goes on from a text.",
            remedy="Leave out --raw.",
        )
    return GenerationRequest(Prompt((task.prefix,)), sampling, stop=PAPER_STOPS)


def _unfiltered(one: Generation) -> Candidate:
    return Candidate(one.text, one.mean_logprob, one.finish_reason, tokens=one.tokens)


def _samples(draw: Draw, drawn: Sequence[Candidate], protocol: str) -> list[Sample]:
    return [
        Sample(
            task_id=draw.task.task_id,
            index=draw.first + place,
            temperature=draw.temperature,
            completion=one.text,
            protocol=protocol,
            finish_reason=one.finish_reason,
            replaced=one.replaced,
            mean_logprob=one.mean_logprob,
            tokens=one.tokens,
        )
        for place, one in enumerate(drawn)
    ]
