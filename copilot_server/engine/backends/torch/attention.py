"""Attention over the blocks of the KV cache, in plain PyTorch.

Two forms: a grid of short pieces (decoding and verifying: a few tokens of each of many sequences), whose
work depends only on its shape, so that it can be captured in a graph; and long pieces (reading prompts),
one sequence at a time, with the flash kernel where there is one.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch.nn.attention.bias import causal_lower_right
from torch.nn.functional import scaled_dot_product_attention

from copilot_server.engine.backends.torch.inputs import GridInputs, Segment
from copilot_server.engine.backends.torch.kv_cache import BLOCK_TOKENS


class GridAttention:
    """Attends in rows of equal width: gathers each row's keys and masks what lies after each token.

    The query heads that share a key are folded into that key's rows, so keys are never repeated.
    """

    def __init__(self, inputs: GridInputs, group: int, dtype: torch.dtype) -> None:
        rows, blocks = inputs.tables.shape
        offsets = torch.arange(BLOCK_TOKENS, device=inputs.tables.device)
        self._indices = (inputs.tables.unsqueeze(-1) * BLOCK_TOKENS + offsets).flatten()  # (rows * reach,)
        self._shape = (rows, blocks * BLOCK_TOKENS)
        self._group = group
        self._mask = self._build_mask(inputs.positions, dtype)

    def _build_mask(self, positions: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
        """(rows, 1, width * group, reach): zero up to each token's position, minus infinity after it."""
        rows, reach = self._shape
        folded = positions.view(rows, 1, -1, 1).expand(-1, -1, -1, self._group).reshape(rows, 1, -1, 1)
        hidden = torch.arange(reach, device=positions.device) > folded
        return torch.zeros_like(hidden, dtype=dtype).masked_fill_(hidden, -torch.inf)

    def __call__(self, queries: torch.Tensor, stored: torch.Tensor) -> torch.Tensor:
        """See ``kernels.Attention``."""
        kv_heads, head_dim = stored.shape[2:]
        gathered = stored.index_select(0, self._indices).view(*self._shape, 2, kv_heads, head_dim)
        keys, values = gathered.permute(2, 0, 3, 1, 4)  # each (rows, kv_heads, reach, head_dim)
        grouped = queries.reshape(self._shape[0], -1, kv_heads, self._group, head_dim)
        folded = grouped.transpose(1, 2).flatten(2, 3)  # (rows, kv_heads, width * group, head_dim)
        attended = scaled_dot_product_attention(folded, keys, values, attn_mask=self._mask)
        by_width = attended.view(*attended.shape[:2], -1, self._group, head_dim).transpose(1, 2)
        return by_width.reshape(queries.shape[0], -1)


class LongAttention:
    """Attends in one sequence after the other, over all its keys so far."""

    def __init__(self, segments: Sequence[Segment]) -> None:
        self._segments = segments

    def __call__(self, queries: torch.Tensor, stored: torch.Tensor) -> torch.Tensor:
        """See ``kernels.Attention``."""
        attended = [_attend_segment(queries[segment.tokens], stored, segment) for segment in self._segments]
        return attended[0] if len(attended) == 1 else torch.cat(attended)


def _attend_segment(queries: torch.Tensor, stored: torch.Tensor, segment: Segment) -> torch.Tensor:
    gathered = stored.view(-1, BLOCK_TOKENS, *stored.shape[1:]).index_select(0, segment.blocks).flatten(0, 1)
    keys, values = gathered[: segment.length].permute(1, 2, 0, 3).unsqueeze(1)
    attended = scaled_dot_product_attention(
        queries.transpose(0, 1).unsqueeze(0),  # (1, heads, tokens, head_dim)
        keys,  # (1, kv_heads, length, head_dim)
        values,
        attn_mask=causal_lower_right(queries.shape[0], segment.length),
        enable_gqa=True,
    )
    return attended[0].transpose(0, 1).flatten(1)  # (tokens, heads * head_dim)
