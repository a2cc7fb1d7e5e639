"""What runs a model's layers: the one interface between the decoding loop and a device's kernels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from copilot_server.errors import EngineError


@dataclass(frozen=True, slots=True)
class Choice:
    """How one token is sampled.

    ``uniform``: the random number in [0, 1) that decides when ``temperature`` is above 0: the token is the
    first, in order of falling probability, at which the mass (of ``top_p`` of the nucleus) exceeds it.
    ``allowed``: the only token ids to choose among; None allows all.
    """

    temperature: float = 0.0
    top_p: float = 1.0
    uniform: float = 0.0
    allowed: Sequence[int] | NDArray[np.int32] | None = None


@dataclass(frozen=True, slots=True)
class Chunk:
    """Tokens to append to a sequence: a piece of a prompt, or the last token and drafts of the next ones.

    ``choices``: how to sample a token after each of the last ``len(choices)`` tokens; none while a prompt is
    only being read. What is in the KV cache already is never part of a chunk.
    """

    sequence: int
    token_ids: Sequence[int]
    choices: Sequence[Choice] = ()


@dataclass(frozen=True, slots=True)
class Drawn:
    """A sampled token and its natural-log probability under the model at temperature 1, over all tokens."""

    token_id: int
    logprob: float


def check_token_ids(chunks: Sequence[Chunk], vocabulary_size: int) -> None:
    """Check every token of a step before an embedding is indexed by it.

    Raises:
        EngineError: one is not in the vocabulary.
    """
    for chunk in chunks:
        for token_id in (min(chunk.token_ids, default=0), max(chunk.token_ids, default=0)):
            if not 0 <= token_id < vocabulary_size:
                raise outside_vocabulary(token_id, vocabulary_size)


def outside_vocabulary(token_id: int, vocabulary_size: int) -> EngineError:
    """Return the error of a token that the model does not have."""
    msg = f"The tokenizer gave the token {token_id}, but the model's vocabulary has {vocabulary_size} tokens."
    remedy = "Its tokenizer and its weights do not belong together: fetch the model again."
    return EngineError(msg, remedy=remedy)


def not_finite(dtype: str) -> EngineError:
    """Return the error of a model whose logits are not numbers, computed in ``dtype``."""
    msg = f"The model computes numbers that are not finite in {dtype}."
    return EngineError(msg, remedy="Its weights may be damaged: fetch the model again, or choose another.")


class Runner(Protocol):
    """A model's weights and KV cache on a device. One thread at a time may call it.

    A sequence's results never depend on what runs beside it, nor on how its tokens are cut into chunks:
    exactly so on the CPU, up to rounding elsewhere.
    """

    @property
    def device(self) -> str:
        """Where it runs, as ``cpu`` or ``cuda:0``."""
        ...

    @property
    def dtype(self) -> str:
        """The number format of its weights, as ``int8`` or ``bfloat16``."""
        ...

    @property
    def context_length(self) -> int:
        """The most tokens that a sequence can have."""
        ...

    @property
    def notices(self) -> Sequence[str]:
        """What the user should know about how the model runs; see ``Engine.notices``."""
        ...

    @property
    def max_sequences(self) -> int:
        """How many sequences can be open at once."""
        ...

    @property
    def free_tokens(self) -> int:
        """How many more tokens the KV cache has room for, whichever sequences they go to."""
        ...

    @property
    def prefill_chunk(self) -> int:
        """How many prompt tokens to read at once: more are no faster, and a cancellation waits for them."""
        ...

    @property
    def draft_length(self) -> int:
        """The most drafts that one step should verify; 0 means never draft."""
        ...

    def open(self) -> int:
        """Begin an empty sequence and return its number."""
        ...

    def fork(self, sequence: int, length: int) -> int:
        """Begin a sequence with the first ``length`` tokens of another, which are not computed again."""
        ...

    def truncate(self, sequence: int, length: int) -> None:
        """Forget all but a sequence's first ``length`` tokens."""
        ...

    def close(self, sequence: int) -> None:
        """Forget a sequence."""
        ...

    def step(self, chunks: Sequence[Chunk]) -> list[list[Drawn]]:
        """Append each chunk to its sequence; return the tokens that each chunk's choices sampled, in order.

        The sampled tokens are not appended; a later chunk does that. A sequence has at most one chunk. A step
        that fails changes no sequence.

        Raises:
            EngineError: there is not enough memory.
        """
        ...

    def release(self) -> None:
        """Return the memory of weights, KV cache and kernels; no other method may be called afterwards."""
        ...


@runtime_checkable
class TunedRunner(Protocol):
    """A runner whose speed was measured when it was tuned for this machine.

    Its steps take time that grows with their tokens, so that the engine weighs drafts against it.
    """

    @property
    def reading_speed_tok_s(self) -> float | None:
        """How fast it reads a new prompt, in tokens per second; None if that was not measured."""
        ...

    @property
    def step_times_s(self) -> tuple[float, float] | None:
        """The seconds of a step of one token, and of each further one; None if they were not measured."""
        ...


@runtime_checkable
class GrowingRunner(Protocol):
    """A runner whose KV cache begins small and takes memory as it is needed."""

    def make_room(self, tokens: int) -> None:
        """Let the KV cache grow to ``tokens`` tokens, or as near to that as the device's memory allows."""
        ...
