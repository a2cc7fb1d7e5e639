"""Choosing the next token."""

from __future__ import annotations

import torch

from copilot_server.engine.base import Sampling


class Sampler:
    """Draws one candidate's tokens; its random numbers are its own, so its neighbours do not matter."""

    def __init__(self, sampling: Sampling, candidate: int) -> None:
        greedy = sampling.temperature == 0.0 or (sampling.greedy_first and candidate == 0)
        self._temperature = 0.0 if greedy else sampling.temperature
        self._top_p = sampling.top_p
        self._random = torch.Generator()
        if sampling.seed is None:
            self._random.seed()
        else:
            self._random.manual_seed(sampling.seed + candidate)

    def choose(self, logits: torch.Tensor, allowed: list[int] | None = None) -> int:
        """One token id from ``logits`` of shape (vocab_size,), among ``allowed`` when given."""
        if allowed is not None:
            return allowed[self.choose(logits[torch.tensor(allowed, device=logits.device)])]
        if self._temperature == 0.0:
            return int(logits.argmax())
        probs = torch.softmax(logits.float() / self._temperature, dim=-1)
        return self._draw(nucleus(probs, self._top_p))

    def _draw(self, probs: torch.Tensor) -> int:
        return int(torch.multinomial(probs.cpu(), 1, generator=self._random))


def nucleus(probs: torch.Tensor, top_p: float) -> torch.Tensor:
    """Zero all but the smallest set of tokens whose probabilities sum to at least ``top_p``.

    Source: Holtzman et al. 2020, "The Curious Case of Neural Text Degeneration", section 3.1.
    """
    if top_p >= 1.0:
        return probs
    ordered, ids = probs.sort(descending=True)
    before = ordered.cumsum(-1) - ordered  # the mass of the likelier tokens
    return probs.index_fill(-1, ids[before >= top_p], 0.0)
