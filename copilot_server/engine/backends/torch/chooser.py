"""From hidden states to chosen tokens: the head, the choice, and one copy to the host."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from copilot_server.engine.backends.torch.choice import (
    MISSED,
    draw,
    forbid_others,
    settings_of,
    with_logprobs,
)
from copilot_server.engine.backends.torch.decoder import Decoder
from copilot_server.engine.backends.torch.fallback import FallbackChain
from copilot_server.engine.backends.torch.inputs import StaticBuffer
from copilot_server.engine.runner import Choice, Drawn

#: The most choices that are made at once.
CHOICES = 512

#: The row that takes the hidden states of tokens after which nothing is chosen.
UNCHOSEN = CHOICES


class Chooser:
    """Chooses after the tokens whose hidden states are in ``hidden``, (CHOICES + 1, hidden).

    What is captured depends on the number of choices and on whether all are greedy. Choices with a list of
    ``allowed`` tokens are made outside the graph; only the first tokens of a completion have one.
    """

    def __init__(self, decoder: Decoder, chain: FallbackChain) -> None:
        size = decoder.architecture.hidden
        self.hidden = torch.zeros(CHOICES + 1, size, device=decoder.device, dtype=decoder.dtype)
        self._decoder = decoder
        self._chain = chain
        self._settings = StaticBuffer(3 * CHOICES, torch.float32, decoder.device)
        self._on_host = torch.zeros(2 * CHOICES, pin_memory=decoder.device.type == "cuda")

    def choose(self, choices: Sequence[Choice]) -> list[Drawn]:
        """Choose after the first ``len(choices)`` hidden states."""
        if not choices:
            return []
        rows = self._chain.shapes.row_count(len(choices))
        restricted = any(choice.allowed is not None for choice in choices)
        settings = None
        if any(choice.temperature > 0 for choice in choices):
            settings = self._settings.send(settings_of(choices, rows).ravel()).view(3, rows)
        captured = None if restricted else settings
        key = ("choose", rows, captured is not None)
        logits, chosen = self._chain.run(key, lambda: self._choose(rows, captured))
        if restricted:
            chosen = _choose_among_allowed(logits, choices, settings)
        return self._fetch(logits, chosen, choices, settings)

    def _choose(self, rows: int, settings: torch.Tensor | None) -> tuple[torch.Tensor, torch.Tensor]:
        logits = self._decoder.logits(self.hidden[:rows])
        ids = logits.argmax(dim=-1) if settings is None else draw(logits, settings)
        return logits, with_logprobs(ids, logits)

    def _fetch(
        self,
        logits: torch.Tensor,
        chosen: torch.Tensor,
        choices: Sequence[Choice],
        settings: torch.Tensor | None,
    ) -> list[Drawn]:
        """Bring ``chosen`` to the host, and draw again where a token was not among the likeliest."""
        ids, logprobs = self._to_host(chosen)
        if settings is not None and MISSED in ids[: len(choices)]:
            everything = draw(forbid_others(logits, choices), settings, among=logits.shape[-1])
            ids, logprobs = self._to_host(with_logprobs(everything, logits))
        pairs = zip(ids, logprobs, strict=True)
        return [Drawn(int(token_id), logprob) for (token_id, logprob), _ in zip(pairs, choices, strict=False)]

    def _to_host(self, chosen: torch.Tensor) -> tuple[list[float], list[float]]:
        on_host = self._on_host[: chosen.numel()].view_as(chosen).copy_(chosen, non_blocking=True)
        if chosen.device.type == "cuda":
            torch.cuda.current_stream().synchronize()
        elif chosen.device.type == "mps":
            torch.mps.synchronize()
        ids, logprobs = on_host.tolist()
        return ids, logprobs


def _choose_among_allowed(
    logits: torch.Tensor, choices: Sequence[Choice], settings: torch.Tensor | None
) -> torch.Tensor:
    masked = forbid_others(logits, choices)
    ids = masked.argmax(dim=-1) if settings is None else draw(masked, settings)
    return with_logprobs(ids, logits)
