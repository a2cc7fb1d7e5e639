"""The layers of a Llama-like model, in order."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch.nn import functional

from copilot_server.engine.backends.torch.kernels import Attention, Kernels
from copilot_server.engine.backends.torch.weights import Weights
from copilot_server.engine.models.architecture import Architecture
from copilot_server.engine.models.rope import rope_table


class Decoder:
    """Appends tokens to the KV cache and computes the last layer's hidden states after them."""

    def __init__(self, architecture: Architecture, weights: Weights, kernels: Kernels) -> None:
        self.architecture = architecture
        self.weights = weights
        self.kernels = kernels
        table = rope_table(architecture, architecture.context_length)
        self._rope = torch.from_numpy(table).to(weights.embedding.device)

    @property
    def device(self) -> torch.device:
        """The device that holds the weights."""
        return self.weights.embedding.device

    @property
    def dtype(self) -> torch.dtype:
        """The number format of the activations."""
        return self.weights.embedding.dtype

    def append(
        self,
        token_ids: torch.Tensor,
        positions: torch.Tensor,
        store_at: torch.Tensor,
        cache: Sequence[torch.Tensor],
        attend: Attention,
    ) -> torch.Tensor:
        """Run tokens through every layer, and return their hidden states, (tokens, hidden).

        The three index tensors are (tokens,): the tokens' ids, their positions in their sequences, and the
        indices in the KV cache at which their keys and values are stored.
        """
        kernels = self.kernels
        x = functional.embedding(token_ids, self.weights.embedding)  # (tokens, hidden)
        rope = self._rope.index_select(0, positions)  # (tokens, head_dim)
        for layer, stored in zip(self.weights.layers, cache, strict=True):
            qkv = kernels.norm_multiply(x, layer.attention_norm, layer.qkv)
            queries = kernels.rotate_and_store(qkv, rope, store_at, stored)
            x = kernels.multiply_add(attend(queries, stored), layer.output, x)
            gated = kernels.norm_gate(x, layer.mlp_norm, layer.gate_up)
            x = kernels.multiply_add(gated, layer.down, x)
        return x

    def logits(self, hidden: torch.Tensor) -> torch.Tensor:
        """(tokens, hidden) to (tokens, vocab_size), float32."""
        return self.kernels.logits(hidden, self.weights.norm, self.weights.head)
