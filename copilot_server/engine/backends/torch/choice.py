"""Choosing the next tokens on the device, for all rows of a step at once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from copilot_server.engine.runner import Choice

#: How many of the likeliest tokens are considered first. Where the draw falls outside them, which is rare,
#: it is repeated among all tokens.
LIKELIEST = 256

#: Stands for a token id where the draw fell outside the likeliest tokens.
MISSED = -1


def draw(logits: torch.Tensor, settings: torch.Tensor, among: int = LIKELIEST) -> torch.Tensor:
    """The ids that ``Choice`` defines, (rows,), from logits (rows, vocab_size).

    ``settings``: each row's temperature, top_p and uniform, (3, rows), float32. Only the ``among`` likeliest
    tokens are sorted; where the draw falls outside them, the id is ``MISSED``.
    """
    temperature, top_p, uniform = settings.unsqueeze(-1)  # (rows, 1) each
    divisor = torch.where(temperature > 0, temperature, 1.0)
    ordered, ids = _descending(logits, among)
    total = (logits.float() / divisor).logsumexp(dim=-1, keepdim=True)
    probabilities = (ordered.float() / divisor - total).exp()
    mass = probabilities.cumsum(dim=-1)
    in_nucleus = (mass - probabilities < top_p) | (top_p >= 1.0)
    nucleus = torch.where(top_p < 1.0, (probabilities * in_nucleus).sum(dim=-1, keepdim=True), 1.0)
    before = (mass <= uniform * nucleus).sum(dim=-1, keepdim=True)
    last = in_nucleus.sum(dim=-1, keepdim=True).clamp(min=1) - 1  # rounding must not lead beyond the nucleus
    drawn = ids.gather(-1, torch.minimum(before, last))
    if among < logits.shape[-1]:
        missed = mass[:, -1:] <= torch.where(top_p < 1.0, top_p, uniform)
        drawn = drawn.masked_fill(missed, MISSED)
    return torch.where(temperature > 0, drawn, logits.argmax(dim=-1, keepdim=True)).squeeze(-1)


def _descending(logits: torch.Tensor, among: int) -> tuple[torch.Tensor, torch.Tensor]:
    """The likeliest tokens' logits in descending order, and their ids."""
    if among < logits.shape[-1]:
        ordered, ids = logits.topk(among, dim=-1)
    else:
        ordered, ids = logits.sort(dim=-1, descending=True, stable=True)
    return ordered, ids


def with_logprobs(ids: torch.Tensor, logits: torch.Tensor) -> torch.Tensor:
    """Ids and their log-probabilities at temperature 1, (2, rows), float32.

    Ids below 2^24 are exact in float32, so that both come to the host in one copy.
    """
    chosen = logits.gather(-1, ids.clamp(min=0).unsqueeze(-1)).squeeze(-1)
    return torch.stack([ids.float(), chosen.float() - logits.float().logsumexp(dim=-1)])


def settings_of(choices: Sequence[Choice], rows: int) -> NDArray[np.float32]:
    """The settings that ``draw`` reads, (3, rows); rows beyond the choices are greedy."""
    settings = np.zeros((3, rows), np.float32)
    for row, choice in enumerate(choices):
        settings[:, row] = choice.temperature, choice.top_p, choice.uniform
    return settings


def forbid_others(logits: torch.Tensor, choices: Sequence[Choice]) -> torch.Tensor:
    """The logits with all but the allowed tokens at minus infinity, if a choice says which are allowed."""
    allowed = [(row, np.asarray(c.allowed)) for row, c in enumerate(choices) if c.allowed is not None]
    if not allowed:
        return logits
    rows = np.repeat([row for row, _ in allowed], [len(ids) for _, ids in allowed])
    index = torch.from_numpy(np.stack([rows, np.concatenate([ids for _, ids in allowed])])).to(logits.device)
    masked = logits.index_fill(0, index[0], -torch.inf)
    masked[index[0], index[1]] = logits[index[0], index[1]]
    return masked
