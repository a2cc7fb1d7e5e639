"""Which rows are decoded together: waiting requests enter as soon as there is room, finished rows leave."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from copilot_server.engine.decoding.jobs import Job
from copilot_server.engine.decoding.prefix_cache import Held, PrefixCache
from copilot_server.engine.decoding.rows import Row
from copilot_server.engine.decoding.streams import Stream, drafts_of
from copilot_server.engine.runner import Chunk, Drawn, Runner
from copilot_server.errors import EngineError

#: Tokens of room that a sequence may hold and not use, since runners give memory by the page.
PAGE = 64


@dataclass(slots=True)
class Counters:
    """What decoding has done since the engine was made."""

    steps: int = 0
    prompt_tokens_read: int = 0
    prompt_tokens_reused: int = 0
    tokens_drafted: int = 0
    drafts_accepted: int = 0


class Schedule:
    """Requests on their way through a runner: what each step reads, and what becomes of what it draws.

    The first row of a request reads the prompt. The others begin with a fork of its sequence or, where
    there are more of them than fit at once, take over the sequence of one that has finished.
    """

    def __init__(  # noqa: PLR0913
        self,
        runner: Runner,
        cache: PrefixCache,
        jobs: Sequence[Job],
        *,
        batch_size: int,
        draft_length: int,
        counters: Counters,
    ) -> None:
        self._runner = runner
        self._cache = cache
        self._batch_size = batch_size
        self._draft_length = draft_length
        self._counters = counters
        # Prompts that begin alike come one after the other, so that the later find their beginning read.
        self._waiting = deque(sorted(jobs, key=lambda job: job.prompt_ids))
        self._unstarted: dict[int, deque[Row]] = {}  # by a running job's index
        self._running: list[Stream] = []
        self._planned: list[tuple[Stream, Chunk]] = []

    @property
    def is_done(self) -> bool:
        """Whether every request is finished."""
        return not self._waiting and not self._running

    def admit(self) -> None:
        """Start as many rows as there is room for and time to read in one step.

        Raises:
            EngineError: not even one has room.
        """
        while len(self._running) < self._batch_size:
            stream = self._next_candidate() or self._next_request()
            if stream is None:
                break
            self._running.append(stream)
        if not self._running:
            tokens = self._waiting[0].most_tokens
            msg = f"There is no memory for the KV cache of {tokens} tokens, prompt and completion together."
            raise EngineError(msg, remedy="Lower completion.max_prompt_tokens or completion.max_new_tokens.")

    def plan(self) -> list[Chunk]:
        """What the next step reads: a token of each row, drafts, and prompts as far as there is time."""
        reading, drafting = self._runner.prefill_chunk, self._draft_length
        self._planned = []
        for place, stream in enumerate(self._running):
            most = 1
            if stream.unread > 1:
                most = min(stream.unread, reading)
                reading -= most
            if most > 0:
                # Rows share the drafts that a step verifies for nothing; what one leaves, the next may use.
                chunk = stream.chunk(most, drafting // (len(self._running) - place))
                drafting -= len(drafts_of(chunk))
                self._planned.append((stream, chunk))
        return [chunk for _, chunk in self._planned]

    def accept(self, drawn: Sequence[Sequence[Drawn]]) -> None:
        """Write what a step drew after each chunk, and forget drafts that were wrong."""
        self._counters.steps += 1
        for (stream, chunk), tokens in zip(self._planned, drawn, strict=True):
            drafts = len(drafts_of(chunk))
            self._counters.prompt_tokens_read += min(stream.unread_prompt, len(chunk.token_ids))
            right = stream.accept(chunk, tokens)
            self._counters.tokens_drafted += drafts
            self._counters.drafts_accepted += right
            if right < drafts:
                self._runner.truncate(stream.sequence, stream.length)

    def retire(self) -> list[Job]:
        """Let finished rows go; the requests that are thereby finished."""
        finished = [stream for stream in self._running if stream.row.finish_reason is not None]
        self._running = [stream for stream in self._running if stream.row.finish_reason is None]
        for stream in finished:
            rows = self._unstarted[stream.job.index]
            if rows:
                self._running.append(self._handed_over(stream, rows.popleft()))
            else:
                self._cache.keep(stream.held)
        return list({stream.job.index: stream.job for stream in finished if stream.job.is_done}.values())

    def cancel(self) -> list[Job]:
        """End every row where it is, and keep what has been read; the requests that are thereby finished."""
        jobs = {stream.job.index: stream.job for stream in self._running}
        jobs |= {job.index: job for job in self._waiting}
        for row in [row for job in jobs.values() for row in job.rows if row.finish_reason is None]:
            row.cancel()
        for stream in self._running:
            self._cache.keep(stream.held)
        self._waiting.clear()
        self._running.clear()
        return list(jobs.values())

    def close(self) -> None:
        """Give back the sequences that are still in use, which is none unless a step failed."""
        for stream in self._running:
            self._cache.close(stream.held)
        self._running.clear()

    @property
    def _reserved(self) -> int:
        """Tokens that the rows being decoded may still need room for."""
        return sum(stream.growth + PAGE for stream in self._running)

    def _next_candidate(self) -> Stream | None:
        """A further row of a request whose prompt has been read, if there is one and there is room."""
        for donor in self._running:
            rows = self._unstarted[donor.job.index]
            if rows and donor.unread_prompt == 0:
                shared = len(donor.job.prompt_ids) - 1
                room = self._reserved + donor.job.most_tokens - shared + PAGE
                held = self._cache.fork(donor.held, shared, room)
                return None if held is None else Stream(donor.job, rows.popleft(), held)
        return None

    def _next_request(self) -> Stream | None:
        """The first row of the next request, if there is room, and time to read some of its prompt."""
        unread = sum(stream.unread_prompt for stream in self._running)
        if not self._waiting or unread >= self._runner.prefill_chunk:
            return None
        job = self._waiting[0]
        in_use = [stream.held for stream in self._running]
        room = job.most_tokens + PAGE
        held = self._cache.take(job.prompt, most=room, reserved=self._reserved, in_use=in_use)
        if held is None:
            return None
        self._waiting.popleft()
        self._unstarted[job.index] = deque(job.rows[1:])
        self._counters.prompt_tokens_reused += len(held.token_ids)
        return Stream(job, job.rows[0], held)

    def _handed_over(self, finished: Stream, row: Row) -> Stream:
        """A row that begins with the prompt in the sequence of one that has finished."""
        shared = len(finished.job.prompt_ids) - 1
        self._runner.truncate(finished.sequence, shared)
        return Stream(finished.job, row, Held(finished.sequence, finished.job.prompt[:shared]))
