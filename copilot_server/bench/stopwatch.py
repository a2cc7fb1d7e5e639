"""Timing the tokens of a generation, with any engine."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from copilot_server.engine.base import Cancel, Engine, Generation, GenerationRequest, Special


@dataclass(frozen=True, slots=True)
class Timing:
    """The times of one generation.

    Attributes:
        prompt_tokens: the length of the prompt.
        first_token_s: from the request to the first token. It includes tokenizing, reading the part of the
            prompt that was not cached, and one decoding step.
        tokens: the number of generated tokens.
        decode_s: from the first token to the last.
        text: the generated text.
    """

    prompt_tokens: int
    first_token_s: float
    tokens: int
    decode_s: float
    text: str

    @property
    def prefill_tok_s(self) -> float:
        """Prompt tokens per second up to the first token; meaningful only without a cached prompt."""
        return self.prompt_tokens / self.first_token_s

    @property
    def decode_tok_s(self) -> float:
        """Tokens per second after the first; 0 if there was only one."""
        return (self.tokens - 1) / self.decode_s if self.decode_s > 0 else 0.0


class StopwatchEngine:
    """An engine that delegates to ``engine`` and keeps the times of single generations."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.timings: list[Timing] = []

    @property
    def device(self) -> str:
        """See ``Engine.device``."""
        return self._engine.device

    @property
    def dtype(self) -> str:
        """See ``Engine.dtype``."""
        return self._engine.dtype

    @property
    def context_length(self) -> int:
        """See ``Engine.context_length``."""
        return self._engine.context_length

    @property
    def notices(self) -> Sequence[str]:
        """See ``Engine.notices``."""
        return self._engine.notices

    def knows(self, special: Special) -> bool:
        """See ``Engine.knows``."""
        return self._engine.knows(special)

    def stable_length(self, text: str) -> int:
        """See ``Engine.stable_length``."""
        return self._engine.stable_length(text)

    def count_tokens(self, text: str) -> int:
        """See ``Engine.count_tokens``."""
        return self._engine.count_tokens(text)

    def generate(self, request: GenerationRequest, cancel: Cancel) -> list[Generation]:
        """See ``Engine.generate``. Adds to ``timings`` if there is a first token."""
        stamps: list[float] = []

        def until(text: str) -> bool:
            stamps.append(time.perf_counter())
            return request.until is not None and request.until(text)

        start = time.perf_counter()
        generations = self._engine.generate(replace(request, until=until), cancel)
        if stamps:
            self.timings.append(
                Timing(
                    prompt_tokens=self._count(request),
                    first_token_s=stamps[0] - start,
                    tokens=len(stamps),
                    decode_s=stamps[-1] - stamps[0],
                    text=generations[0].text,
                )
            )
        return generations

    def generate_batch(
        self,
        requests: Sequence[GenerationRequest],
        cancel: Cancel,
        on_done: Callable[[int, list[Generation]], None] | None = None,
        *,
        batch_size: int = 16,
    ) -> list[list[Generation]]:
        """See ``Engine.generate_batch``. Generations that run side by side are not timed."""
        return self._engine.generate_batch(requests, cancel, on_done, batch_size=batch_size)

    def close(self) -> None:
        """See ``Engine.close``."""
        self._engine.close()

    def time(self, request: GenerationRequest) -> Timing | None:
        """Generate, and return the times; None if the model wrote no visible token."""
        before = len(self.timings)
        self.generate(request, threading.Event())
        return self.timings[-1] if len(self.timings) > before else None

    def _count(self, request: GenerationRequest) -> int:
        """Return the number of tokens in a prompt, to within one wherever text meets a control token."""
        parts = request.prompt.parts
        texts = sum(self.count_tokens(part) for part in parts if isinstance(part, str))
        return texts + sum(isinstance(part, Special) for part in parts)
