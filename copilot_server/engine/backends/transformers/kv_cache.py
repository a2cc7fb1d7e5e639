"""The keys and values of each sequence, held by transformers' own cache classes.

transformers never writes into a tensor of keys or values: a cache grows by concatenation. A slice of a cache
is therefore safe to share, and a fork copies nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, cast

import torch
from torch.nn import functional
from transformers import PreTrainedConfig
from transformers.cache_utils import DynamicCache, DynamicLayer, DynamicSlidingWindowLayer

#: For each layer its keys and values, each (rows, kv_heads, tokens, head_dim).
Layers = list[tuple[torch.Tensor, torch.Tensor]]


@dataclass(eq=False, slots=True)
class CachedSequence:
    """A sequence's tokens, and the cache that holds the keys and values of the first ``cached`` of them.

    ``row``: where in a batch they are; None when they are in ``cache``, which belongs to this sequence alone.
    """

    cache: DynamicCache
    token_ids: list[int] = field(default_factory=list)
    cached: int = 0
    row: BatchRow | None = None

    @property
    def is_sliceable(self) -> bool:
        """Whether the keys and values of any of its tokens can be taken by themselves."""
        return self.row is not None or is_sliceable(self.cache)


@dataclass(frozen=True, slots=True)
class BatchRow:
    """One row of a batch's cache, whose first ``padding`` columns hold nothing."""

    batch: Batch
    index: int
    padding: int


@dataclass(eq=False, slots=True)
class Batch:
    """Sequences that take a step together, in the rows of one cache, padded on the left to one width.

    A sequence that is closed or leaves is no member any more, while its row stays.
    """

    cache: DynamicCache
    members: list[CachedSequence]
    rows: int

    def holds(self, sequences: Sequence[CachedSequence]) -> bool:
        """Whether its rows are these sequences, in this order, each ending in the last column."""
        return len(sequences) == len(self.members) == self.rows and all(
            one is member and one.row is not None and one.row.padding + one.cached == self.width
            for one, member in zip(sequences, self.members, strict=True)
        )

    @property
    def width(self) -> int:
        """How many columns the cache has, padding included."""
        return int(self.cache.get_seq_length())


def new_cache(config: PreTrainedConfig) -> DynamicCache:
    """An empty cache for a model.

    Layers with a sliding window get a cache of all tokens: the model's attention mask hides those outside the
    window, and the sequence can be cut back to any length.
    """
    cache = DynamicCache(config=config)
    cache.layers = [
        cast("Any", DynamicLayer)() if type(layer) is DynamicSlidingWindowLayer else layer
        for layer in cache.layers
    ]
    return cache


def is_sliceable(cache: DynamicCache) -> bool:
    """Whether a cache is nothing but keys and values for each token.

    Recurrent states, for instance, are not: they cannot be cut back, or be padded beside others.
    """
    return bool(cache.layers) and all(
        type(layer) is DynamicLayer and layer.is_initialized for layer in cache.layers
    )


def layers_of(sequence: CachedSequence, length: int) -> Layers:
    """Slices of the keys and values of a sequence's first ``length`` tokens, as rows of one."""
    row = sequence.row
    if row is None:
        layers = _layers(sequence.cache)
        return [(keys[..., :length, :], values[..., :length, :]) for keys, values in layers]
    rows, columns = slice(row.index, row.index + 1), slice(row.padding, row.padding + length)
    layers = _layers(row.batch.cache)
    return [(keys[rows, :, columns], values[rows, :, columns]) for keys, values in layers]


def cache_of(layers: Layers) -> DynamicCache:
    """A cache that begins with these keys and values."""
    cache = DynamicCache()
    for keys, values in layers:
        layer = cast("Any", DynamicLayer)()
        layer.lazy_initialization(keys, values)
        layer.keys, layer.values = keys, values
        cache.layers.append(layer)
    return cache


def leave_batch(sequence: CachedSequence, *, copy: bool) -> None:
    """Give a sequence a cache of its own; without a ``copy`` its slices keep the batch's memory in use."""
    if sequence.row is None:
        return
    layers = layers_of(sequence, sequence.cached)
    if copy:
        layers = [(keys.clone(), values.clone()) for keys, values in layers]
    sequence.cache, sequence.row = cache_of(layers), None


def make_batch(sequences: Sequence[CachedSequence]) -> Batch:
    """Put sequences together, each with all that it has cached."""
    width = max(sequence.cached for sequence in sequences)
    padding = [width - sequence.cached for sequence in sequences]
    by_sequence = [layers_of(sequence, sequence.cached) for sequence in sequences]
    stacked = []
    for pairs in zip(*by_sequence, strict=True):  # one layer of each sequence
        keys, values = (
            torch.cat([functional.pad(one, (0, 0, pad, 0)) for one, pad in zip(side, padding, strict=True)])
            for side in zip(*pairs, strict=True)
        )
        stacked.append((keys, values))
    batch = Batch(cache_of(stacked), list(sequences), rows=len(sequences))
    for index, (sequence, pad) in enumerate(zip(sequences, padding, strict=True)):
        sequence.row = BatchRow(batch, index, pad)
    return batch


@contextmanager
def unchanged_on_error(cache: DynamicCache) -> Iterator[None]:
    """Put keys and values back as they were if the model fails half-way through its layers."""
    before = _layers(cache) if is_sliceable(cache) else []
    try:
        yield
    except BaseException:
        for layer, tensors in zip(cast("list[Any]", cache.layers), before, strict=False):
            layer.keys, layer.values = tensors
        raise


def _layers(cache: DynamicCache) -> Layers:
    return [(layer.keys, layer.values) for layer in cast("list[Any]", cache.layers)]
