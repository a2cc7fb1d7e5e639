"""The table of rotary angles is the one that transformers computes."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from transformers import Qwen2Config
from transformers.models.qwen2.modeling_qwen2 import Qwen2RotaryEmbedding

from copilot_server.engine.models.architecture import Architecture
from copilot_server.engine.models.rope import rope_table

ROPES = {
    "default": {"rope_type": "default", "rope_theta": 10000.0},
    "another base": {"rope_type": "default", "rope_theta": 1000000.0},
    "linear scaling": {"rope_type": "linear", "rope_theta": 10000.0, "factor": 4.0},
}


@pytest.mark.parametrize("rope", ROPES.values(), ids=ROPES)
def test_the_table_is_that_of_transformers(rope: dict[str, float]):
    config = Qwen2Config(
        hidden_size=64,
        num_attention_heads=2,
        num_key_value_heads=1,
        num_hidden_layers=1,
        intermediate_size=64,
        vocab_size=100,
        max_position_embeddings=300,
        rope_parameters=rope,
    )
    architecture = Architecture.from_config(config.to_dict())
    cosines, sines = Qwen2RotaryEmbedding(config)(torch.zeros(1, 1, 64), torch.arange(300)[None])
    half = architecture.head_dim // 2  # transformers repeats each half for both parts of a rotated pair
    expected = np.concatenate([cosines[0, :, :half], sines[0, :, :half]], axis=1)
    table = rope_table(architecture, 300)
    assert table.dtype == np.float32
    assert table.shape == (300, architecture.head_dim)
    np.testing.assert_allclose(table, expected, rtol=0, atol=1e-6)
