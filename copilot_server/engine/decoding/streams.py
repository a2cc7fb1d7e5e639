"""A row at work: how much of its tokens the KV cache holds, and what it gives to the next step."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from itertools import zip_longest

import numpy as np

from copilot_server.engine.decoding.drafts import Drafter
from copilot_server.engine.decoding.jobs import Job
from copilot_server.engine.decoding.prefix_cache import Held, Tokens
from copilot_server.engine.decoding.rows import Row
from copilot_server.engine.runner import Chunk, Drawn


class Stream:
    """A row and its sequence of the runner.

    The tokens of a stream are its prompt's and its row's; the sequence holds the first ``length`` of them.
    While the prompt is read that is a piece of it, and afterwards all but the newest token.
    """

    def __init__(self, job: Job, row: Row, held: Held) -> None:
        self.job = job
        self.row = row
        self.sequence = held.sequence
        self.length = len(held.token_ids)

    @property
    def unread(self) -> int:
        """Tokens that are not in the KV cache yet: 1, once the prompt is read."""
        return len(self.job.prompt_ids) + len(self.row.token_ids) - self.length

    @property
    def unread_prompt(self) -> int:
        """Tokens of the prompt that are not in the KV cache yet."""
        return max(0, len(self.job.prompt_ids) - self.length)

    @property
    def growth(self) -> int:
        """Tokens by which its sequence can still grow."""
        return self.job.most_tokens - self.length

    @property
    def held(self) -> Held:
        """What its sequence holds."""
        written = self.length - len(self.job.prompt_ids)
        if written <= 0:
            return Held(self.sequence, self.job.prompt[: self.length])
        token_ids: Tokens = np.asarray(self.row.token_ids[:written], np.int32)
        return Held(self.sequence, np.concatenate([self.job.prompt, token_ids]))

    def chunk(self, most: int, most_drafts: int) -> Chunk:
        """Its next ``most`` tokens, and drafts of the ones after them if these are the last."""
        start, prompt_ids = self.length, self.job.prompt_ids
        reading = start < len(prompt_ids)
        known = prompt_ids[start : start + most] if reading else self.row.token_ids[start - len(prompt_ids) :]
        if len(known) < self.unread:
            return Chunk(self.sequence, known)
        drafts = self._drafts(most_drafts)
        return Chunk(self.sequence, [*known, *drafts], self.row.choices(drafts))

    def accept(self, chunk: Chunk, drawn: Sequence[Drawn]) -> int:
        """Take what a step drew after ``chunk``; how many of its drafts were right.

        A draft is right as long as it is the token that was drawn in its place.
        """
        drafts = drafts_of(chunk)
        right = 0
        for token, draft in zip_longest(drawn, drafts):
            self.row.accept(token)
            if self.row.finish_reason is not None or token.token_id != draft:
                break
            right += 1
        if drafts:
            self._drafter.record(right)
        self.length += len(chunk.token_ids) - len(drafts) + right
        return right

    def _drafts(self, most: int) -> Sequence[int]:
        # The token drawn after the last draft is written too.
        most = min(most, self.job.request.sampling.max_new_tokens - len(self.row.token_ids) - 1)
        return self._drafter.draft(self.row.token_ids, most) if most > 0 else ()

    @cached_property
    def _drafter(self) -> Drafter:
        """Made when it is first needed: beside many others a row never drafts."""
        return Drafter(self.job.prompt_ids, self.job.lookup_ids, self.job.tokenizer.control_ids)


def drafts_of(chunk: Chunk) -> Sequence[int]:
    """The last tokens of a chunk, as far as it is open whether they are right."""
    return chunk.token_ids[len(chunk.token_ids) - len(chunk.choices) + 1 :] if chunk.choices else ()
