"""A candidate being decoded: what the KV cache holds of its tokens, and what the next step computes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from itertools import zip_longest

import numpy as np

from copilot_server.engine.decoding.candidate import Candidate
from copilot_server.engine.decoding.drafts import Drafter
from copilot_server.engine.decoding.jobs import Job
from copilot_server.engine.decoding.prefix_cache import Held, Tokens
from copilot_server.engine.runner import Chunk, Drawn


class RunningSequence:
    """A candidate and its sequence of the runner.

    Its tokens are the prompt's and then the candidate's; the runner holds the first ``length`` of them.
    During prefill that is a part of the prompt, and afterwards all but the newest token.
    """

    def __init__(self, job: Job, candidate: Candidate, held: Held) -> None:
        self.job = job
        self.candidate = candidate
        self.sequence = held.sequence
        self.length = len(held.token_ids)

    @property
    def unread(self) -> int:
        """How many of its tokens are not in the KV cache yet: 1, once the prompt has been read."""
        return len(self.job.prompt_ids) + len(self.candidate.token_ids) - self.length

    @property
    def unread_prompt(self) -> int:
        """How many of the prompt's tokens are not in the KV cache yet."""
        return max(0, len(self.job.prompt_ids) - self.length)

    @property
    def growth(self) -> int:
        """By how many tokens the runner's sequence can still grow."""
        return self.job.most_tokens - self.length

    @property
    def held(self) -> Held:
        """The runner's sequence and the tokens in it."""
        written = self.length - len(self.job.prompt_ids)
        if written <= 0:
            return Held(self.sequence, self.job.prompt[: self.length])
        token_ids: Tokens = np.asarray(self.candidate.token_ids[:written], np.int32)
        return Held(self.sequence, np.concatenate([self.job.prompt, token_ids]))

    @property
    def matched(self) -> int:
        """The tokens of the match that the last draft followed."""
        return self._drafter.matched

    def chunk(self, most: int, worthwhile: Callable[[int], int]) -> Chunk:
        """Its next ``most`` tokens and, if they are the last, drafts of the tokens after them.

        ``worthwhile``: how many tokens to draft at most after a match of so many tokens.
        """
        start, prompt_ids = self.length, self.job.prompt_ids
        reading = start < len(prompt_ids)
        known = (
            prompt_ids[start : start + most]
            if reading
            else self.candidate.token_ids[start - len(prompt_ids) :]
        )
        if len(known) < self.unread:
            return Chunk(self.sequence, known)
        drafts = self._drafts(worthwhile)
        return Chunk(self.sequence, [*known, *drafts], self.candidate.choices(drafts))

    def accept(self, chunk: Chunk, drawn: Sequence[Drawn]) -> int:
        """Append what a step sampled after ``chunk``; return how many of its drafts were right.

        A draft is right if it is the very token that was sampled at its position.
        """
        drafts = drafts_of(chunk)
        right = 0
        for token, draft in zip_longest(drawn, drafts):
            self.candidate.accept(token)
            if self.candidate.finish_reason is not None or token.token_id != draft:
                break
            right += 1
        if drafts:
            self._drafter.record(right)
        self.length += len(chunk.token_ids) - len(drafts) + right
        return right

    def _drafts(self, worthwhile: Callable[[int], int]) -> Sequence[int]:
        # The token sampled after the last draft is appended too.
        most = self.job.request.sampling.max_new_tokens - len(self.candidate.token_ids) - 1
        if most <= 0:
            return ()
        return self._drafter.draft(self.candidate.token_ids, lambda matched: min(most, worthwhile(matched)))

    @cached_property
    def _drafter(self) -> Drafter:
        """Created when first needed: a candidate may never draft."""
        return Drafter(self.job.prompt_ids, self.job.lookup_ids, self.job.tokenizer.control_ids)


def drafts_of(chunk: Chunk) -> Sequence[int]:
    """The tokens at the end of a chunk that have yet to be verified."""
    return chunk.token_ids[len(chunk.token_ids) - len(chunk.choices) + 1 :] if chunk.choices else ()
