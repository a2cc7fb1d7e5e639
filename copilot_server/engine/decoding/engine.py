"""The engine on a runner: one loop that decodes any number of requests together."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace

import numpy as np

from copilot_server.config import SpeedSettings
from copilot_server.engine.base import Cancel, Generation, GenerationRequest, Prompt, Special
from copilot_server.engine.decoding.draft_lengths import DraftLengths, StepTimes
from copilot_server.engine.decoding.jobs import Job, make_job
from copilot_server.engine.decoding.prefix_cache import PrefixCache
from copilot_server.engine.decoding.reading import PromptReader, measure_reading_speed
from copilot_server.engine.decoding.schedule import BLOCK_SLACK, Counters, Schedule
from copilot_server.engine.memory import memory_errors
from copilot_server.engine.models.tokenizer import Tokenizer
from copilot_server.engine.runner import GrowingRunner, Runner, TunedRunner
from copilot_server.errors import EngineError

OnDone = Callable[[int, list[Generation]], None]


class DecodingEngine:
    """Decodes with a ``Runner``: continuous batching, a prefix cache, and drafts."""

    def __init__(
        self, runner: Runner, tokenizer: Tokenizer, speed: SpeedSettings, notices: Sequence[str] = ()
    ) -> None:
        self._runner = runner
        self._notices = notices
        self._closed = False
        self._device, self._dtype, self._context_length = runner.device, runner.dtype, runner.context_length
        self._tokenizer = tokenizer
        self._cache = PrefixCache(runner, enabled=speed.prefix_cache)
        times_s = runner.step_times_s if isinstance(runner, TunedRunner) else None
        self._draft_lengths = DraftLengths(
            runner.draft_length if speed.drafts else 0, StepTimes(*times_s) if times_s else None
        )
        self._counters = Counters()
        self._reads_ahead = speed.prefix_cache
        self._reader = PromptReader(runner, self._cache, self._counters)
        self._reading_speed_tok_s = runner.reading_speed_tok_s if isinstance(runner, TunedRunner) else None

    @property
    def device(self) -> str:
        """Where the model runs, as ``cpu`` or ``cuda:0``."""
        return self._device

    @property
    def dtype(self) -> str:
        """The number format of the weights, as ``int8``."""
        return self._dtype

    @property
    def context_length(self) -> int:
        """The most tokens that prompt and completion may have together."""
        return self._context_length

    @property
    def notices(self) -> Sequence[str]:
        """See ``Engine.notices``: the loader's, then the runner's."""
        return self._notices if self._closed else (*self._notices, *self._runner.notices)

    @property
    def runner(self) -> Runner:
        """The model itself, for measuring and checking it."""
        return self._runner

    @property
    def tokenizer(self) -> Tokenizer:
        """The model's tokenizer."""
        return self._tokenizer

    @property
    def counters(self) -> Counters:
        """What has been decoded so far, as a copy."""
        return replace(self._counters)

    def knows(self, special: Special) -> bool:
        """Whether the model's vocabulary has this control token."""
        return self._tokenizer.knows(special)

    def count_tokens(self, text: str) -> int:
        """How many tokens ``text`` is, control tokens in it read as plain text."""
        return len(self._tokenizer.encode_text(text))

    def stable_length(self, text: str) -> int:
        """See ``Engine.stable_length``."""
        return self._tokenizer.stable_length(text)

    def generate(self, request: GenerationRequest, cancel: Cancel) -> list[Generation]:
        """See ``Engine.generate``."""
        return self.generate_batch([request], cancel)[0]

    def generate_batch(
        self,
        requests: Sequence[GenerationRequest],
        cancel: Cancel,
        on_done: OnDone | None = None,
        *,
        batch_size: int = 16,
    ) -> list[list[Generation]]:
        """See ``Engine.generate_batch``; ``batch_size`` candidates are decoded at a time, the others wait."""
        self._check_open()
        jobs = [self.job(index, request) for index, request in enumerate(requests)]
        self.make_room(jobs, batch_size)
        schedule = self.schedule(batch_size)
        schedule.add(jobs)
        with closing(schedule), memory_errors():
            for job in self._decode(schedule, cancel):
                if on_done is not None:
                    on_done(job.index, job.generations())
        return [job.generations() for job in jobs]

    def job(self, index: int, request: GenerationRequest, *, urgent: bool = False) -> Job:
        """Make a job of a request, for a schedule. Any thread may.

        Raises:
            PromptTooLongError, EngineError: as ``make_job``.
        """
        return make_job(index, request, self._tokenizer, self.context_length, urgent=urgent)

    def schedule(self, batch_size: int) -> Schedule:
        """Begin a schedule without jobs, for at most ``batch_size`` candidates at a time.

        Close it, and only then begin another one.

        Raises:
            EngineError: the engine was closed.
        """
        self._check_open()
        return Schedule(
            self._runner,
            self._cache,
            batch_size=batch_size,
            draft_lengths=self._draft_lengths,
            counters=self._counters,
        )

    def make_room(self, jobs: Sequence[Job], batch_size: int) -> None:
        """Let the KV cache grow to what ``batch_size`` candidates of these jobs need, where it can grow."""
        if isinstance(self._runner, GrowingRunner):
            self._runner.make_room(_most_tokens(jobs, batch_size))

    def step(self, schedule: Schedule) -> list[Job]:
        """Decode one step of a schedule that has jobs; return the jobs that are thereby finished.

        Raises:
            EngineError: there is no room even for one, or the model could not run.
        """
        schedule.admit()
        chunks = schedule.plan()
        start = time.perf_counter()
        drawn = self._runner.step(chunks)
        took_s = time.perf_counter() - start
        self._draft_lengths.record_step(sum(len(chunk.token_ids) for chunk in chunks), took_s)
        schedule.accept(drawn)
        return schedule.retire()

    def forget_prompts(self) -> None:
        """Drop what is kept of earlier prompts."""
        self._cache.clear()

    def read(self, prompts: Sequence[Prompt], cancel: Cancel) -> None:
        """See ``ReadingEngine.read``. A prompt that does not fit the context is left out."""
        self._check_open()
        encoded = [self._tokenizer.encode(prompt) for prompt in prompts] if self._reads_ahead else []
        fitting = [np.asarray(ids, np.int32) for ids in encoded if 1 < len(ids) < self.context_length]
        if not fitting:
            return
        if isinstance(self._runner, GrowingRunner):
            self._runner.make_room(sum(len(ids) + BLOCK_SLACK for ids in fitting))
        with memory_errors():
            self._reader.read(fitting, cancel)

    def reading_speed_tok_s(self) -> float:
        """See ``ReadingEngine.reading_speed_tok_s``."""
        self._check_open()
        if self._reading_speed_tok_s is None:
            with memory_errors():
                self._reading_speed_tok_s = measure_reading_speed(self._runner)
        return self._reading_speed_tok_s

    def close(self) -> None:
        """See ``Engine.close``."""
        if not self._closed:
            self._notices, self._closed = self.notices, True
            self._cache.clear()
            self._runner.release()

    def _check_open(self) -> None:
        if self._closed:
            raise EngineError("The engine was closed.", remedy="Load the model again.")

    def _decode(self, schedule: Schedule, cancel: Cancel) -> Iterator[Job]:
        """Step until every job is done or the cancel flag is set; yields each job when it is done."""
        while not schedule.is_done:
            if cancel.is_set():
                yield from schedule.cancel()
                return
            yield from self.step(schedule)


def _most_tokens(jobs: Sequence[Job], batch_size: int) -> int:
    """The most tokens that the KV cache holds at once while ``batch_size`` candidates are decoded."""
    by_candidate = sorted(
        (job.most_tokens + BLOCK_SLACK for job in jobs for _ in job.candidates), reverse=True
    )
    return sum(by_candidate[:batch_size])
