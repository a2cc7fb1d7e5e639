"""A runner that is obviously right: transformers, one sequence at a time, each with a cache of its own."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, PreTrainedModel
from transformers.cache_utils import DynamicCache

from copilot_server.engine.decoding.sampling import sample_token
from copilot_server.engine.runner import Chunk, Drawn


class ReferenceRunner:
    """A ``Runner`` on any language model of transformers, in float32 on the CPU."""

    device = "cpu"
    dtype = "float32"
    max_sequences = 256
    prefill_chunk = 64
    draft_length = 8
    notices = ()

    def __init__(self, folder: Path) -> None:
        self._model = _model(folder)
        self.context_length: int = self._model.config.max_position_embeddings
        self._caches: dict[int, DynamicCache] = {}
        self._opened = 0

    @property
    def free_tokens(self) -> int:
        return 65536 - sum(self._length(sequence) for sequence in self._caches)

    def open(self) -> int:
        return self._add(DynamicCache(config=self._model.config))

    def fork(self, sequence: int, length: int) -> int:
        number = self._add(copy.deepcopy(self._caches[sequence]))
        self.truncate(number, length)
        return number

    def truncate(self, sequence: int, length: int) -> None:
        surplus = self._length(sequence) - length
        if length == 0:
            self._caches[sequence] = DynamicCache(config=self._model.config)
        elif surplus:
            self._caches[sequence].crop(-surplus)

    def close(self, sequence: int) -> None:
        del self._caches[sequence]

    @torch.inference_mode()
    def step(self, chunks: Sequence[Chunk]) -> list[list[Drawn]]:
        return [self._append(chunk) for chunk in chunks]

    def release(self) -> None:
        self._caches.clear()

    def _add(self, kv_cache: DynamicCache) -> int:
        self._opened += 1
        self._caches[self._opened] = kv_cache
        return self._opened

    def _length(self, sequence: int) -> int:
        return int(self._caches[sequence].get_seq_length())

    def _append(self, chunk: Chunk) -> list[Drawn]:
        ids = torch.tensor([list(chunk.token_ids)])
        logits = self._model(ids, past_key_values=self._caches[chunk.sequence]).logits[0]
        wanted = logits[len(chunk.token_ids) - len(chunk.choices) :].numpy()
        return [sample_token(row, choice) for row, choice in zip(wanted, chunk.choices, strict=True)]


@cache
def _model(folder: Path) -> PreTrainedModel:
    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
