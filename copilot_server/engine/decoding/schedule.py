"""Continuous batching: requests enter as soon as there is room, and finished candidates leave at once."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from copilot_server.engine.decoding.candidate import Candidate
from copilot_server.engine.decoding.draft_lengths import DraftLengths, PlannedStep
from copilot_server.engine.decoding.jobs import Job
from copilot_server.engine.decoding.prefix_cache import Held, PrefixCache
from copilot_server.engine.decoding.sequence import RunningSequence, drafts_of
from copilot_server.engine.runner import Chunk, Drawn, Runner, not_finite
from copilot_server.errors import EngineError

#: Tokens of room that each sequence may occupy without using them, since runners give out memory in blocks.
BLOCK_SLACK = 64


@dataclass(slots=True)
class Counters:
    """What has been decoded since the engine was created.

    ``prompt_tokens_read``: for generations; ``prompt_tokens_read_ahead``: before anyone asked for one.
    """

    steps: int = 0
    prompt_tokens_read: int = 0
    prompt_tokens_read_ahead: int = 0
    prompt_tokens_reused: int = 0
    tokens_drafted: int = 0
    drafts_accepted: int = 0


class Schedule:
    """Requests being decoded by a runner: what each step computes, and what becomes of the sampled tokens.

    The first candidate of a request reads the prompt. The others begin with a fork of its sequence or, where
    more of them than fit were asked for, take over the sequence of one that has finished.

    Urgent requests come before all others, which keep their tokens and are decoded no further meanwhile.
    """

    def __init__(
        self,
        runner: Runner,
        cache: PrefixCache,
        *,
        batch_size: int,
        draft_lengths: DraftLengths,
        counters: Counters,
    ) -> None:
        self._runner = runner
        self._cache = cache
        self._batch_size = batch_size
        self._draft_lengths = draft_lengths
        self._counters = counters
        self._waiting: deque[Job] = deque()  # the urgent ones first
        self._unstarted: dict[int, deque[Candidate]] = {}  # by the index of a running job
        self._running: list[RunningSequence] = []
        self._planned: list[tuple[RunningSequence, Chunk]] = []

    @property
    def is_done(self) -> bool:
        """Whether every request is finished."""
        return not self._waiting and not self._running

    @property
    def is_urgent(self) -> bool:
        """Whether an urgent request is among those that are not finished."""
        return any(job.urgent for job in self._waiting) or any(one.job.urgent for one in self._running)

    def add(self, jobs: Sequence[Job]) -> None:
        """Have requests decoded after those that wait already, and urgent ones before those that are not.

        Of jobs that are added together, prompts with a common beginning follow each other, so that the later
        ones find it in the cache.
        """
        waiting = [*self._waiting, *sorted(jobs, key=lambda job: job.prompt_ids)]
        self._waiting = deque(sorted(waiting, key=lambda job: not job.urgent))

    def admit(self) -> None:
        """Start as many candidates as there is room for, and as one step has time to read.

        Raises:
            EngineError: there is no room even for one.
        """
        while self._may_start():
            sequence = self._next_candidate() or self._next_request()
            if sequence is None:
                break
            self._running.append(sequence)
        if not self._running:
            tokens = self._waiting[0].most_tokens
            msg = f"There is no memory for the KV cache of {tokens} tokens, prompt and completion together."
            raise EngineError(msg, remedy="Lower completion.max_prompt_tokens or completion.max_new_tokens.")

    def plan(self) -> list[Chunk]:
        """What the next step computes: a token of each candidate, drafts, and a piece of the prompts."""
        pieces = self._pieces()
        writing = sum(most == sequence.unread for sequence, most in pieces)
        step = PlannedStep(tokens=sum(most for _, most in pieces), expected=writing)
        self._planned = []
        for index, (sequence, most) in enumerate(pieces):
            # Candidates share the drafts of a step; the next uses what one leaves.
            worthwhile = partial(self._draft_lengths.worthwhile, step=step, sharing=len(pieces) - index)
            chunk = sequence.chunk(most, worthwhile)
            if drafts := len(drafts_of(chunk)):
                self._draft_lengths.add(sequence.matched, drafts, step)
            self._planned.append((sequence, chunk))
        return [chunk for _, chunk in self._planned]

    def accept(self, drawn: Sequence[Sequence[Drawn]]) -> None:
        """Append what a step sampled after each chunk, and forget drafts that were wrong.

        Raises:
            EngineError: the model computes numbers that are not finite.
        """
        if any(math.isnan(token.logprob) for tokens in drawn for token in tokens):
            raise not_finite(self._runner.dtype)
        self._counters.steps += 1
        for (sequence, chunk), tokens in zip(self._planned, drawn, strict=True):
            drafts = len(drafts_of(chunk))
            self._counters.prompt_tokens_read += min(sequence.unread_prompt, len(chunk.token_ids))
            right = sequence.accept(chunk, tokens)
            self._counters.tokens_drafted += drafts
            self._counters.drafts_accepted += right
            if drafts:
                self._draft_lengths.record(sequence.matched, drafts, right)
            if right < drafts:
                self._runner.truncate(sequence.sequence, sequence.length)

    def retire(self) -> list[Job]:
        """Let finished candidates leave; return the requests that are thereby finished."""
        finished = [one for one in self._running if one.candidate.finish_reason is not None]
        self._running = [one for one in self._running if one.candidate.finish_reason is None]
        for sequence in finished:
            candidates = self._unstarted[sequence.job.index]
            if candidates:
                self._running.append(self._handed_over(sequence, candidates.popleft()))
            else:
                self._cache.keep(sequence.held)
        done = {one.job.index: one.job for one in finished if one.job.is_done}
        for index in done:
            del self._unstarted[index]
        return list(done.values())

    def drop(self, job: Job) -> None:
        """End a request where it is, if it is not finished; what has been read of its prompt is kept."""
        job.cancel()
        self._waiting = deque(one for one in self._waiting if one is not job)
        for sequence in [one for one in self._running if one.job is job]:
            self._running.remove(sequence)
            self._cache.keep(sequence.held)
        self._unstarted.pop(job.index, None)

    def cancel(self) -> list[Job]:
        """End every request where it is; return those that were not finished."""
        jobs = {sequence.job.index: sequence.job for sequence in self._running}
        jobs |= {job.index: job for job in self._waiting}
        for job in jobs.values():
            self.drop(job)
        return list(jobs.values())

    def fail(self) -> list[Job]:
        """Take out the requests because of which a step failed, and return them.

        They are those that were being decoded or, if there were none, the one for which there was no room.
        """
        jobs = list({one.job.index: one.job for one in self._running}.values())
        if not jobs and self._waiting:
            jobs = [self._waiting.popleft()]
        self.close()
        return jobs

    def close(self) -> None:
        """Close the sequences that are still in use; there are none unless a step failed."""
        for sequence in self._running:
            self._cache.close(sequence.held)
        self._running.clear()
        self._unstarted.clear()

    def _may_start(self) -> bool:
        """Whether one more candidate may be decoded beside those that are."""
        ahead = self._waiting and self._waiting[0].urgent
        return bool(ahead) or len(self._running) < self._batch_size

    def _beside(self, *, urgent: bool) -> list[RunningSequence]:
        """The candidates that are decoded together with one more: all, or only the urgent ones."""
        return [one for one in self._running if one.job.urgent or not urgent]

    def _pieces(self) -> list[tuple[RunningSequence, int]]:
        """The candidates of the next step, and how many of its known tokens each reads in it."""
        pieces, reading = [], self._runner.prefill_chunk
        for sequence in self._beside(urgent=any(one.job.urgent for one in self._running)):
            most = 1
            if sequence.unread > 1:
                most = min(sequence.unread, reading)
                reading -= most
            if most > 0:
                pieces.append((sequence, most))
        return pieces

    @property
    def _reserved(self) -> int:
        """How many more tokens the candidates being decoded may need room for."""
        return sum(sequence.growth + BLOCK_SLACK for sequence in self._running)

    def _next_candidate(self) -> RunningSequence | None:
        """A further candidate of a request whose prompt has been read, if there is one and room for it."""
        ahead = bool(self._waiting) and self._waiting[0].urgent
        for donor in self._beside(urgent=ahead):
            candidates = self._unstarted[donor.job.index]
            if candidates and donor.unread_prompt == 0:
                shared = len(donor.job.prompt_ids) - 1
                room = self._reserved + donor.job.most_tokens - shared + BLOCK_SLACK
                held = self._cache.fork(donor.held, shared, room)
                return None if held is None else RunningSequence(donor.job, candidates.popleft(), held)
        return None

    def _next_request(self) -> RunningSequence | None:
        """The first candidate of the next request, if there is room, and time to read some of its prompt."""
        if not self._waiting:
            return None
        job = self._waiting[0]
        unread = sum(sequence.unread_prompt for sequence in self._beside(urgent=job.urgent))
        if unread >= self._runner.prefill_chunk:
            return None
        in_use = [sequence.held for sequence in self._running]
        room = job.most_tokens + BLOCK_SLACK
        held = self._cache.take(job.prompt, most=room, reserved=self._reserved, in_use=in_use)
        if held is None:
            return None
        self._waiting.popleft()
        self._unstarted[job.index] = deque(job.candidates[1:])
        self._counters.prompt_tokens_reused += len(held.token_ids)
        return RunningSequence(job, job.candidates[0], held)

    def _handed_over(self, finished: RunningSequence, candidate: Candidate) -> RunningSequence:
        """A candidate that begins with the prompt in the sequence of one that has finished."""
        shared = len(finished.job.prompt_ids) - 1
        self._runner.truncate(finished.sequence, shared)
        return RunningSequence(finished.job, candidate, Held(finished.sequence, finished.job.prompt[:shared]))
