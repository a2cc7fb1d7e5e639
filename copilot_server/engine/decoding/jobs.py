"""A request on its way through an engine."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from copilot_server.engine.base import Generation, GenerationRequest
from copilot_server.engine.decoding.rows import Row
from copilot_server.engine.models.tokenizer import Tokenizer
from copilot_server.errors import EngineError, PromptTooLongError


@dataclass(frozen=True)
class Job:
    """A request, its place among those asked together, its prompt's tokens and a row for each candidate."""

    index: int
    request: GenerationRequest
    prompt_ids: list[int]
    rows: list[Row]
    tokenizer: Tokenizer

    @cached_property
    def prompt(self) -> NDArray[np.int32]:
        """The prompt's tokens as an array, (tokens,)."""
        return np.asarray(self.prompt_ids, np.int32)

    @cached_property
    def lookup_ids(self) -> list[list[int]]:
        """The tokens of each text that the request names beside its prompt."""
        return [self.tokenizer.encode_known(text) for text in self.request.lookup]

    @property
    def most_tokens(self) -> int:
        """The most tokens that prompt and completion can come to have together."""
        return len(self.prompt_ids) + self.request.sampling.max_new_tokens

    @property
    def is_done(self) -> bool:
        """Whether every candidate is finished."""
        return all(row.finish_reason is not None for row in self.rows)

    def generations(self) -> list[Generation]:
        """What the candidates have written."""
        return [row.generation() for row in self.rows]


def make_job(index: int, request: GenerationRequest, tokenizer: Tokenizer, context_length: int) -> Job:
    """Tokenize a request.

    Raises:
        PromptTooLongError: prompt and completion do not fit ``context_length``.
        EngineError: the prompt names a control token that the vocabulary lacks.
    """
    # A model cannot go on from nothing: a text begins where another ended.
    prompt_ids = tokenizer.encode(request.prompt) or sorted(tokenizer.control_ids)[:1]
    room = context_length - request.sampling.max_new_tokens
    if len(prompt_ids) > room:
        msg = f"A prompt of {len(prompt_ids)} tokens is too long for a window of {context_length}."
        raise PromptTooLongError(msg, remedy=f"Beside the completion, it has room for {room}.")
    rows = [Row(request, prompt_ids, candidate, tokenizer) for candidate in range(request.sampling.n)]
    return Job(index, request, prompt_ids, rows, tokenizer)


def out_of_memory() -> EngineError:
    """The error for memory that ran out, and what to do about it."""
    return EngineError(
        "Memory ran out in the middle of a generation.",
        remedy="Choose a smaller model, or lower completion.max_prompt_tokens.",
    )
