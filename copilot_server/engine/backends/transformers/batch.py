"""The tensors of rows being decoded together: KV cache, attention mask and positions."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from transformers import PreTrainedModel
from transformers.cache_utils import DynamicCache

from copilot_server.engine.base import Cancel

#: Prompt tokens between two looks at the cancel flag: about a second of a slow CPU.
PREFILL_CHUNK = 256


class Batch:
    """Rows of different lengths, padded on the left so that their last tokens line up.

    ``mask``: (rows, tokens so far), 1 for a token and 0 for padding; None when no row is padded, which
    spares the model from building a mask.
    """

    def __init__(self, model: PreTrainedModel, prompts: Sequence[Sequence[int]]) -> None:
        self._model = model
        self._cache = DynamicCache(config=model.config)
        longest = max(len(prompt) for prompt in prompts)
        padded = [[0] * (longest - len(prompt)) + list(prompt) for prompt in prompts]
        self._prompt_ids = torch.tensor(padded, device=model.device)  # (rows, longest)
        lengths = torch.tensor([len(prompt) for prompt in prompts], device=model.device)
        self._positions = lengths.unsqueeze(1)  # (rows, 1): the position of each row's next token
        self._mask: torch.Tensor | None = None
        if bool((lengths < longest).any()):
            columns = torch.arange(longest, device=model.device)
            self._mask = (columns >= longest - lengths.unsqueeze(1)).long()

    def prefill(self, cancel: Cancel) -> torch.Tensor | None:
        """Read the prompts; the logits after them, (rows, vocab_size), or None when cancelled."""
        logits = None
        width = self._prompt_ids.shape[1]
        padding = width - self._positions
        positions = (torch.arange(width, device=self._model.device) - padding).clamp(min=0)
        for start in range(0, width, PREFILL_CHUNK):
            if cancel.is_set():
                return None
            end = min(start + PREFILL_CHUNK, width)
            mask = None if self._mask is None else self._mask[:, :end]
            logits = self._forward(self._prompt_ids[:, start:end], positions[:, start:end], mask)
        return logits

    def step(self, token_ids: Sequence[int]) -> torch.Tensor:
        """Append one token to each row; the logits after it, (rows, vocab_size)."""
        ids = torch.tensor(token_ids, device=self._model.device).unsqueeze(1)
        if self._mask is not None:
            self._mask = torch.cat([self._mask, self._mask.new_ones(len(token_ids), 1)], dim=1)
        logits = self._forward(ids, self._positions, self._mask)
        self._positions = self._positions + 1
        return logits

    def fork(self, logits: torch.Tensor, copies: Sequence[int]) -> torch.Tensor:
        """Repeat row i ``copies[i]`` times, so that candidates share one prefill; their logits."""
        if all(count == 1 for count in copies):
            return logits
        rows = [row for row, count in enumerate(copies) for _ in range(count)]
        self.select(rows)
        return logits[rows]

    def select(self, rows: Sequence[int]) -> None:
        """Keep these rows, in this order; a row may be named more than once."""
        index = torch.tensor(rows, device=self._model.device)
        self._cache.batch_select_indices(index)
        self._positions = self._positions[index]
        if self._mask is not None:
            self._mask = self._mask[index]

    def _forward(self, ids: torch.Tensor, positions: torch.Tensor, mask: torch.Tensor | None) -> torch.Tensor:
        output = self._model(
            input_ids=ids,
            attention_mask=mask,
            position_ids=positions,
            past_key_values=self._cache,
            use_cache=True,
            logits_to_keep=1,
        )
        logits: torch.Tensor = output.logits
        return logits[:, -1]
