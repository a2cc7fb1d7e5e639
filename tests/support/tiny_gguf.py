"""Random Qwen2 models as GGUF files, as llama.cpp's tools write them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from gguf import GGMLQuantizationType, GGUFWriter
from gguf.quants import quantize
from tokenizers import Tokenizer

from tests.support.gguf_blocks import random_blocks
from tests.support.tiny_models import build_tokenizer

HIDDEN, FEED_FORWARD, LAYERS, HEADS, KV_HEADS = 64, 128, 1, 2, 1
#: The formats that weights are quantized to; in the others there are random blocks.
_QUANTIZED = ("Q8_0", "F16")


@dataclass(frozen=True)
class Sizes:
    """The sizes of a model, and the number format of each matrix that is not in Q8_0."""

    hidden: int = HIDDEN
    feed_forward: int = FEED_FORWARD
    layers: int = LAYERS
    heads: int = HEADS
    kv_heads: int = KV_HEADS
    kinds: Mapping[str, str] = field(default_factory=dict)


#: With every format that the kernels compute with, one that they do not, and values in another one than
#: queries and keys, as llama.cpp's Q4_K_M has them.
MIXED = Sizes(
    hidden=256,
    feed_forward=512,
    layers=3,
    heads=8,
    kv_heads=2,
    kinds={
        "blk.0.attn_q": "Q5_0",
        "blk.0.attn_k": "Q5_0",
        "blk.0.attn_output": "Q4_K",
        "blk.0.ffn_gate": "Q4_0",
        "blk.0.ffn_up": "Q4_0",
        "blk.0.ffn_down": "Q6_K",
        "blk.1.attn_q": "Q4_K",
        "blk.1.attn_k": "Q4_K",
        "blk.1.attn_v": "Q6_K",
        "blk.1.attn_output": "Q5_0",
        "blk.1.ffn_gate": "Q5_K",
        "blk.1.ffn_up": "Q5_K",
        "blk.1.ffn_down": "Q5_0",
        "blk.2.attn_q": "Q6_K",
        "blk.2.attn_k": "Q6_K",
        "blk.2.attn_v": "Q6_K",
        "blk.2.ffn_gate": "Q4_K",
        "blk.2.ffn_up": "Q6_K",
        "blk.2.ffn_down": "F16",
    },
)


def build_tiny_gguf(path: Path, sizes: Sizes | None = None) -> Path:
    """Write the model and its tokenizer to ``path``."""
    sizes = sizes or Sizes()
    writer = GGUFWriter(path, "qwen2")
    writer.add_context_length(512)
    writer.add_embedding_length(sizes.hidden)
    writer.add_block_count(sizes.layers)
    writer.add_feed_forward_length(sizes.feed_forward)
    writer.add_head_count(sizes.heads)
    writer.add_head_count_kv(sizes.kv_heads)
    writer.add_layer_norm_rms_eps(1e-6)
    writer.add_rope_freq_base(10000.0)
    vocabulary = _add_tokenizer(writer)
    rng = np.random.default_rng(7)
    for name, shape in _shapes(sizes, vocabulary).items():
        weight = rng.standard_normal(shape).astype(np.float32)
        kind = sizes.kinds.get(name.removesuffix(".weight"), "Q8_0")
        number = GGMLQuantizationType[kind]
        if len(shape) == 1:
            writer.add_tensor(name, weight)
        else:
            rows = quantize(weight, number) if kind in _QUANTIZED else random_blocks(kind, *shape)
            writer.add_tensor(name, rows, raw_dtype=number)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _add_tokenizer(writer: GGUFWriter) -> int:
    """Add the tokenizer of the tiny models; return the size of its vocabulary."""
    fast = Tokenizer.from_str(build_tokenizer().backend_tokenizer.to_str())
    tokens = sorted(fast.get_vocab(), key=fast.token_to_id)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("qwen2")
    writer.add_token_list(tokens)
    writer.add_token_types([3 if token.startswith("<|") else 1 for token in tokens])
    merges = json.loads(fast.to_str())["model"]["merges"]
    writer.add_token_merges([" ".join(pair) for pair in merges])
    writer.add_bos_token_id(0)
    writer.add_eos_token_id(0)
    return len(tokens)


def _shapes(sizes: Sizes, vocabulary: int) -> dict[str, tuple[int, ...]]:
    """Return the shape of each tensor, outputs first."""
    hidden, feed_forward = sizes.hidden, sizes.feed_forward
    kv = hidden * sizes.kv_heads // sizes.heads
    shapes: dict[str, tuple[int, ...]] = {
        "token_embd.weight": (vocabulary, hidden),
        "output_norm.weight": (hidden,),
        "output.weight": (vocabulary, hidden),
    }
    for layer in range(sizes.layers):
        block = {
            "attn_norm.weight": (hidden,),
            "attn_q.weight": (hidden, hidden),
            "attn_q.bias": (hidden,),
            "attn_k.weight": (kv, hidden),
            "attn_k.bias": (kv,),
            "attn_v.weight": (kv, hidden),
            "attn_v.bias": (kv,),
            "attn_output.weight": (hidden, hidden),
            "ffn_norm.weight": (hidden,),
            "ffn_gate.weight": (feed_forward, hidden),
            "ffn_up.weight": (feed_forward, hidden),
            "ffn_down.weight": (hidden, feed_forward),
        }
        shapes |= {f"blk.{layer}.{name}": shape for name, shape in block.items()}
    return shapes
