"""Attention over a cache in half precision, on each instruction set."""

from __future__ import annotations

import numpy as np
import pytest

from tests.support.kernels import Array, Probes


def exact(queries: Array, keys: Array, values: Array) -> Array:
    """Softmax attention in float64, of keys and values that are rounded to half precision."""
    halves = [array.astype(np.float16).astype(np.float64) for array in (keys, values)]
    scores = queries.astype(np.float64) @ halves[0].T / np.sqrt(queries.shape[1])
    weights = np.exp(scores - scores.max(axis=1, keepdims=True))
    return weights / weights.sum(axis=1, keepdims=True) @ halves[1]


@pytest.mark.parametrize("size", [2, 32, 64, 80, 128, 256])
@pytest.mark.parametrize("tokens", [1, 16, 17, 255, 257, 700])
def test_attention_is_softmax_attention(tokens: int, size: int, probes: Probes):
    draw = np.random.default_rng(tokens)
    for heads in (1, 2, 7, 30):
        queries, keys, values = (
            draw.standard_normal((count, size)).astype(np.float32) for count in (heads, tokens, tokens)
        )
        given = probes.attend(queries, keys, values)
        assert np.abs(given - exact(queries, keys, values)).max() < 2e-6 * np.abs(values).max()
        # The twin: another key is seen.
        changed = keys.copy()
        changed[tokens // 2] = 8 * queries[0] / np.linalg.norm(queries[0])
        if tokens > 1:
            assert np.abs(probes.attend(queries, changed, values) - given).max() > 1e-4


def test_a_query_does_not_depend_on_those_beside_it(probes: Probes):
    draw = np.random.default_rng(0)
    queries, keys, values = (draw.standard_normal((n, 64)).astype(np.float32) for n in (40, 300, 300))
    together = probes.attend(queries, keys, values)
    for head in (0, 5, 27, 39):
        assert (probes.attend(queries[head : head + 1], keys, values) == together[head]).all()
