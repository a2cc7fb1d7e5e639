"""Timing the tokens of a generation, with any engine."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, replace

from copilot_server.engine.base import Cancel, Engine, Generation, GenerationRequest
from copilot_server.engine.delegating import DelegatingEngine


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


class StopwatchEngine(DelegatingEngine):
    """Keeps the times of single generations; those that run side by side are not timed."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine)
        self.timings: list[Timing] = []

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
                    prompt_tokens=self.length_of(request.prompt),
                    first_token_s=stamps[0] - start,
                    tokens=len(stamps),
                    decode_s=stamps[-1] - stamps[0],
                    text=generations[0].text,
                )
            )
        return generations

    def time(self, request: GenerationRequest) -> Timing | None:
        """Generate, and return the times; None if the model wrote no visible token."""
        before = len(self.timings)
        self.generate(request, threading.Event())
        return self.timings[-1] if len(self.timings) > before else None
