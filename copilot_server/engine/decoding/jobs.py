"""A request that an engine is working on."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from copilot_server.engine.base import Generation, GenerationRequest
from copilot_server.engine.decoding.candidate import Candidate
from copilot_server.engine.models.tokenizer import Tokenizer
from copilot_server.errors import PromptTooLongError


@dataclass(frozen=True)
class Job:
    """A request, its index among those asked together, its prompt's tokens and its candidates.

    ``urgent``: somebody waits for it at this moment, so that jobs that are not urgent wait meanwhile.
    """

    index: int
    request: GenerationRequest
    prompt_ids: list[int]
    candidates: list[Candidate]
    tokenizer: Tokenizer
    urgent: bool = False

    @cached_property
    def prompt(self) -> NDArray[np.int32]:
        """The prompt's tokens as an array, (tokens,)."""
        return np.asarray(self.prompt_ids, np.int32)

    @cached_property
    def lookup_ids(self) -> list[list[int]]:
        """The tokens of each of the request's ``lookup`` texts."""
        return [self.tokenizer.encode_known(text) for text in self.request.lookup]

    @property
    def most_tokens(self) -> int:
        """The most tokens that prompt and completion can come to have together."""
        return len(self.prompt_ids) + self.request.sampling.max_new_tokens

    @property
    def is_done(self) -> bool:
        """Whether every candidate is finished."""
        return all(candidate.finish_reason is not None for candidate in self.candidates)

    def cancel(self) -> None:
        """End every candidate where it is."""
        for candidate in self.candidates:
            if candidate.finish_reason is None:
                candidate.cancel()

    def generations(self) -> list[Generation]:
        """What the candidates have written."""
        return [candidate.generation() for candidate in self.candidates]


def make_job(
    index: int,
    request: GenerationRequest,
    tokenizer: Tokenizer,
    context_length: int,
    *,
    urgent: bool = False,
) -> Job:
    """Tokenize a request.

    Raises:
        PromptTooLongError: prompt and completion do not fit ``context_length``.
        EngineError: the prompt names a control token that the vocabulary lacks.
    """
    # A model cannot continue an empty text, and a text begins where another one ended.
    prompt_ids = tokenizer.encode(request.prompt) or sorted(tokenizer.control_ids)[:1]
    room = context_length - request.sampling.max_new_tokens
    if len(prompt_ids) > room:
        msg = f"A prompt of {len(prompt_ids)} tokens is too long for a window of {context_length}."
        raise PromptTooLongError(msg, remedy=f"Besides the completion, there is room for {room}.")
    candidates = [Candidate(request, prompt_ids, number, tokenizer) for number in range(request.sampling.n)]
    return Job(index, request, prompt_ids, candidates, tokenizer, urgent)
