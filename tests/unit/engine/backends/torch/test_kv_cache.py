"""The KV cache: what it promises fits, and it grows around what it holds."""

from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from copilot_server.engine.backends.torch.kv_cache import KvCache
from copilot_server.engine.models.architecture import Architecture
from tests.support.torch_runners import CPU

_ARCHITECTURE = Architecture(
    layers=1,
    hidden=8,
    heads=1,
    kv_heads=1,
    head_dim=4,
    intermediate=8,
    vocab_size=8,
    context_length=1024,
)


@settings(max_examples=60)
@given(data=st.data())
def test_the_promised_tokens_always_fit(data: st.DataObject):
    """Whatever was opened, forked, lengthened, truncated and closed before, and however they are spread."""
    cache = KvCache(_ARCHITECTURE, tokens=640, max_sequences=6, device=CPU, dtype=torch.float32)
    whole = cache.free_tokens
    lengths: dict[int, int] = {}
    for _ in range(data.draw(st.integers(1, 25))):
        action = data.draw(st.sampled_from(["open", "fork", "lengthen", "truncate", "close"]))
        if action == "open" and len(lengths) < 6:
            lengths[cache.open()] = 0
        if not lengths or action == "open":
            continue
        sequence = data.draw(st.sampled_from(sorted(lengths)))
        shorter = data.draw(st.integers(0, lengths[sequence]))
        if action == "fork" and len(lengths) < 6:
            lengths[cache.fork(sequence, shorter)] = shorter
        elif action == "lengthen":
            more = data.draw(st.integers(0, cache.free_tokens))
            cache.reserve([(sequence, more)])
            lengths[sequence] += more
        elif action == "truncate":
            cache.truncate(sequence, shorter)
            lengths[sequence] = shorter
        elif action == "close":
            cache.close(sequence)
            del lengths[sequence]
    rest, wanted = cache.free_tokens, []
    for sequence in lengths:
        wanted.append((sequence, data.draw(st.integers(0, rest))))
        rest -= wanted[-1][1]
    cache.reserve(wanted)
    for sequence in lengths:
        cache.close(sequence)
    assert cache.free_tokens == whole
