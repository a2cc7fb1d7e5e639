"""The operations that a layer consists of, in plain PyTorch, which runs on every device.

``triton_kernels`` implements the same operations for CUDA, with fewer and faster kernels.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch.nn import functional

from copilot_server.engine.backends.torch.attention import GridAttention
from copilot_server.engine.backends.torch.inputs import GridInputs
from copilot_server.engine.backends.torch.matrix import Matrix, multiply_to_float32
from copilot_server.engine.models.architecture import Architecture

#: Takes queries, (tokens, heads, head_dim), and one layer's cache; returns (tokens, heads * head_dim).
Attention = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


class Kernels:
    """The operations of a layer. Every tensor's first dimension is the tokens of a step."""

    #: Whether they are plain PyTorch, which needs no compiler.
    is_plain = True

    def __init__(self, architecture: Architecture) -> None:
        self._a = architecture

    def norm(self, x: torch.Tensor, norm: torch.Tensor) -> torch.Tensor:
        """RMSNorm. Source: Zhang and Sennrich 2019, "Root Mean Square Layer Normalization"."""
        return functional.rms_norm(x, norm.shape, norm, self._a.rms_eps)

    def norm_multiply(self, x: torch.Tensor, norm: torch.Tensor, matrix: Matrix) -> torch.Tensor:
        """Normalize, then multiply."""
        return matrix.multiply(self.norm(x, norm))

    def logits(self, x: torch.Tensor, norm: torch.Tensor, head: Matrix) -> torch.Tensor:
        """Normalize, then multiply by the head; always float32, whatever the activations are."""
        return multiply_to_float32(self.norm(x, norm), head)

    def norm_gate(self, x: torch.Tensor, norm: torch.Tensor, gate_up: Matrix) -> torch.Tensor:
        """Normalize, multiply, and let the first half gate the second: (tokens, intermediate).

        Source: Shazeer 2020, "GLU Variants Improve Transformer" (SwiGLU).
        """
        gate, up = gate_up.multiply(self.norm(x, norm)).chunk(2, dim=-1)
        return functional.silu(gate) * up

    def multiply_add(self, x: torch.Tensor, matrix: Matrix, residual: torch.Tensor) -> torch.Tensor:
        """Multiply and add to the residual stream."""
        return residual + matrix.multiply(x)

    def rotate_and_store(
        self, qkv: torch.Tensor, rope: torch.Tensor, store_at: torch.Tensor, stored: torch.Tensor
    ) -> torch.Tensor:
        """Rotate queries and keys by their positions, and write keys and values to the cache.

        ``rope``: cosines, then sines, (tokens, head_dim). Returns the queries, (tokens, heads, head_dim).
        """
        a = self._a
        heads = qkv.view(-1, a.heads + 2 * a.kv_heads, a.head_dim)
        rotated = _rotate(heads[:, : a.heads + a.kv_heads], rope.to(qkv.dtype))
        keys, values = rotated[:, a.heads :], heads[:, a.heads + a.kv_heads :]
        stored[store_at] = torch.stack([keys, values], dim=1)
        return rotated[:, : a.heads]

    def grid_attention(self, inputs: GridInputs, dtype: torch.dtype) -> Attention:
        """Attention of short pieces of many sequences."""
        return GridAttention(inputs, self._a.heads // self._a.kv_heads, dtype)


def _rotate(heads: torch.Tensor, rope: torch.Tensor) -> torch.Tensor:
    """Rotate each pair (i, i + head_dim / 2) by its angle."""
    cos, sin = rope.unsqueeze(1).chunk(2, dim=-1)
    first, second = heads.chunk(2, dim=-1)
    return torch.cat([first * cos - second * sin, second * cos + first * sin], dim=-1)
