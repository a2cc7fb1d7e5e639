"""The second stage of a run: samples from the model, through the pipeline that serves editors or without it.

A run with a folder resumes from the samples in it.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

from copilot_server import __version__
from copilot_server.completion.pipeline import Pipeline, open_pipeline
from copilot_server.completion.types import Candidate, Completion, CompletionRequest
from copilot_server.config import Settings
from copilot_server.context.document import Cursor, Document
from copilot_server.engine.base import Cancel, Engine, Generation, GenerationRequest, Prompt, Sampling
from copilot_server.engine.details import instruction_set
from copilot_server.errors import ConfigError
from copilot_server.evaluation.options import SelftestOptions
from copilot_server.evaluation.run_folder import RunFolder, open_run
from copilot_server.evaluation.types import FollowUp, Sample, SamplingRequest, SourceFacts, Submit, Task

#: Where the Codex paper ends a completion (Chen et al. 2021, arXiv 2107.03374, section 2.3).
PAPER_STOPS = ("\nclass", "\ndef", "\n#", "\nif", "\nprint")

#: The name of the prompt protocol when the bare model is asked.
RAW_PROTOCOL = "causal (raw)"

#: The most samples of a task that one request asks for. They share a prefill, which the next request finds in
#: the prefix cache.
CHUNK = 32


@dataclass(frozen=True, slots=True)
class SamplingPlan:
    """What all sampling requests of a run have in common.

    A sample depends only on ``seed``, its task, its temperature and its index. A run that generates more
    samples, or those that an interrupted run lacks, therefore gets the samples of one long run.
    """

    seed: int
    top_p: float
    max_new_tokens: int
    batch_size: int

    def sampling(self, request: SamplingRequest) -> Sampling:
        """Return how the samples of ``request`` are generated."""
        name = f"{self.seed}/{request.task.task_id}/{request.temperature!r}/{request.first}"
        digest = hashlib.blake2b(name.encode(), digest_size=8).digest()
        return Sampling(
            temperature=request.temperature,
            top_p=self.top_p if request.temperature else 1.0,
            seed=int.from_bytes(digest, "big"),
            n=request.count,
            max_new_tokens=self.max_new_tokens,
        )


#: Generates the samples of requests, and submits those of each request as soon as it is finished.
Sampler = Callable[[Sequence[SamplingRequest], Cancel, Submit], None]


class ModelSource:
    """Samples from the model that ``settings`` name, or from the remote engine."""

    def __init__(
        self, settings: Settings, options: SelftestOptions, tasks: Sequence[Task], data_sha256: str
    ) -> None:
        self._settings = settings
        self._options = options
        self._requests = plan_requests(tasks, options.sampling_temperatures, options.samples)
        self._data_sha256 = data_sha256
        self._loading_s = 0.0

    @property
    def opening(self) -> str:
        """See ``Source.opening``."""
        hosts = self._settings.engine_hosts
        return f"Connecting to {hosts}" if hosts else f"Loading {self._settings.model}"

    def open(self) -> int:
        """Load the model.

        Raises:
            ModelError: the model cannot be had.
            EngineError: the model cannot run.
        """
        start = time.monotonic()
        self._pipeline = open_pipeline(self._settings)
        self._loading_s = time.monotonic() - start
        return sum(request.count for request in self._requests)

    def sample(self, submit: Submit, more: FollowUp | None = None) -> SourceFacts:
        """Submit the samples of an earlier run, then generate those that are missing; then draw ``more``."""
        start = time.monotonic()
        kept = tokens = 0
        sampler = self._sampler()
        with self._folder() as folder:

            def on_sampled(samples: Sequence[Sample]) -> None:
                nonlocal tokens
                new = folder.add(samples)
                tokens += sum(one.tokens or 0 for one in new)
                submit(new)

            requests: Sequence[SamplingRequest] = self._requests
            while requests:
                earlier = folder.kept(requests)
                kept += len(earlier)
                submit(earlier)
                sampler(folder.missing(requests), threading.Event(), on_sampled)
                requests = more() if more is not None else ()
        engine = self._pipeline.engine
        return SourceFacts(
            model=self._pipeline.model_id,
            parameters=self._pipeline.parameters,
            device=engine.device,
            dtype=engine.dtype,
            instruction_set=instruction_set(engine),
            notices=tuple(engine.notices),
            temperatures=self._options.sampling_temperatures,
            loading_s=self._loading_s,
            sampling_s=time.monotonic() - start,
            kept=kept,
            tokens=tokens,
        )

    def _sampler(self) -> Sampler:
        options = self._options
        max_new_tokens = self._settings.completion.max_new_tokens
        plan = SamplingPlan(options.seed, options.top_p, max_new_tokens, options.batch_size)
        if options.raw:
            return raw_sampler(self._pipeline.engine, plan)
        return served_sampler(self._pipeline, plan)

    def _folder(self) -> AbstractContextManager[RunFolder]:
        if self._options.report is None:
            return nullcontext(RunFolder(None))
        return open_run(self._options.report, self._identity())

    def _identity(self) -> dict[str, Any]:
        """What determines each sample: a run resumes only from one that had the same."""
        completion, options, engine = self._settings.completion, self._options, self._pipeline.engine
        return {
            "benchmark": options.benchmark,
            "data_sha256": self._data_sha256,
            "model": self._pipeline.model_id,
            "device": engine.device,
            "dtype": engine.dtype,
            "protocol": "raw" if options.raw else completion.protocol,
            "max_prompt_tokens": self._pipeline.max_prompt_tokens,
            "max_new_tokens": completion.max_new_tokens,
            "top_p": options.top_p,
            "seed": options.seed,
            "version": __version__,
        }


def plan_requests(
    tasks: Sequence[Task], temperatures: Sequence[float], samples: int
) -> list[SamplingRequest]:
    """Return the requests that give each task ``samples`` samples at each temperature."""
    return [
        SamplingRequest(task, temperature, first, min(CHUNK, samples - first))
        for task in tasks
        for temperature in temperatures
        for first in range(0, samples, CHUNK)
    ]


def served_sampler(pipeline: Pipeline, plan: SamplingPlan) -> Sampler:
    """Return a sampler that asks as an editor does: a document with a cursor, through the whole pipeline."""

    def sample(requests: Sequence[SamplingRequest], cancel: Cancel, on_sampled: Submit) -> None:
        def on_done(index: int, completion: Completion) -> None:
            if not completion.cancelled:
                on_sampled(_samples(requests[index], completion.sampled, completion.prompt_protocol))

        asked = [_completion_request(request, plan.sampling(request)) for request in requests]
        pipeline.complete_batch(asked, cancel, on_done, batch_size=plan.batch_size)

    return sample


def raw_sampler(engine: Engine, plan: SamplingPlan) -> Sampler:
    """Return a sampler that asks the bare model: the prompt as it is, the paper's stops, and no filters."""

    def sample(requests: Sequence[SamplingRequest], cancel: Cancel, on_sampled: Submit) -> None:
        def on_done(index: int, generations: list[Generation]) -> None:
            if all(one.finish_reason != "cancelled" for one in generations):
                unfiltered = [_unfiltered(one) for one in generations]
                on_sampled(_samples(requests[index], unfiltered, RAW_PROTOCOL))

        asked = [_raw_request(request, plan.sampling(request)) for request in requests]
        engine.generate_batch(asked, cancel, on_done, batch_size=plan.batch_size)

    return sample


def _completion_request(request: SamplingRequest, sampling: Sampling) -> CompletionRequest:
    task = request.task
    cursor = Cursor(Document(task.uri, "python", task.prefix + task.suffix), len(task.prefix))
    prompt_protocol = None if task.protocol == "auto" else task.protocol
    return CompletionRequest(cursor, sampling=sampling, prompt_protocol=prompt_protocol)


def _raw_request(request: SamplingRequest, sampling: Sampling) -> GenerationRequest:
    task = request.task
    if task.suffix or task.protocol != "auto":
        raise ConfigError(
            f"{task.task_id} is not for the bare model, which only continues a text.",
            remedy="Leave out --raw.",
        )
    return GenerationRequest(Prompt((task.prefix,)), sampling, stop=PAPER_STOPS)


def _unfiltered(one: Generation) -> Candidate:
    return Candidate(one.text, one.mean_logprob, one.finish_reason, tokens=one.tokens)


def _samples(request: SamplingRequest, candidates: Sequence[Candidate], prompt_protocol: str) -> list[Sample]:
    return [
        Sample(
            task_id=request.task.task_id,
            index=index,
            temperature=request.temperature,
            completion=one.text,
            protocol=prompt_protocol,
            finish_reason=one.finish_reason,
            replaced=one.replaced,
            mean_logprob=one.mean_logprob,
            tokens=one.tokens,
        )
        for index, one in enumerate(candidates, start=request.first)
    ]
