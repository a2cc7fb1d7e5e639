"""An engine that has another do everything, for those that only watch what is asked."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from copilot_server.engine.base import Cancel, Engine, Generation, GenerationRequest, Prompt, Special


class DelegatingEngine:
    """Passes every call on to ``engine``. Subclasses override what they watch."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

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
        """See ``Engine.generate``."""
        return self._engine.generate(request, cancel)

    def generate_batch(
        self,
        requests: Sequence[GenerationRequest],
        cancel: Cancel,
        on_done: Callable[[int, list[Generation]], None] | None = None,
        *,
        batch_size: int = 16,
    ) -> list[list[Generation]]:
        """See ``Engine.generate_batch``."""
        return self._engine.generate_batch(requests, cancel, on_done, batch_size=batch_size)

    def close(self) -> None:
        """See ``Engine.close``."""
        self._engine.close()

    def length_of(self, prompt: Prompt) -> int:
        """Return the number of tokens in a prompt, to within one wherever text meets a control token."""
        return sum(1 if isinstance(part, Special) else self.count_tokens(part) for part in prompt.parts)
