"""The shape of a Llama-like model, and which models have one: those that our own decoders serve."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from copilot_server.errors import ModelError

#: Families that are nothing but RMSNorm, RoPE, grouped attention and SwiGLU.
FAMILIES = ("qwen2", "llama")


@dataclass(frozen=True, slots=True)
class Architecture:
    """Everything that a decoder of this family needs to know beside its weights.

    ``heads`` query heads share ``kv_heads`` keys and values; ``rope_factor`` divides positions (linear
    scaling); ``tied``: the embedding serves as the head too.
    """

    layers: int
    hidden: int
    heads: int
    kv_heads: int
    head_dim: int
    intermediate: int
    vocab_size: int
    context_length: int
    rms_eps: float = 1e-6
    rope_theta: float = 10000.0
    rope_factor: float = 1.0
    tied: bool = False

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Architecture:
        """Read a ``config.json`` that ``supports`` says yes to."""
        heads = config["num_attention_heads"]
        rope = _rope(config)
        return cls(
            layers=config["num_hidden_layers"],
            hidden=config["hidden_size"],
            heads=heads,
            kv_heads=config.get("num_key_value_heads") or heads,
            head_dim=config.get("head_dim") or config["hidden_size"] // heads,
            intermediate=config["intermediate_size"],
            vocab_size=config["vocab_size"],
            context_length=config["max_position_embeddings"],
            rms_eps=config.get("rms_norm_eps", 1e-6),
            rope_theta=rope.get("rope_theta", 10000.0),
            rope_factor=rope.get("factor", 1.0),
            tied=config.get("tie_word_embeddings", False),
        )


def read_architecture(folder: Path) -> Architecture | None:
    """The shape of the model in a folder of transformers' format; None when it is of another kind.

    Raises:
        ModelError: its config.json cannot be read.
    """
    try:
        config = json.loads((folder / "config.json").read_text("utf-8"))
        return Architecture.from_config(config) if supports(config) else None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        msg = f"{folder} does not hold a language model that can be read (config.json: {error!r})."
        remedy = "It needs config.json, tokenizer.json and weights in safetensors."
        raise ModelError(msg, remedy=remedy) from error


def supports(config: Mapping[str, Any]) -> bool:
    """Whether the model of this ``config.json`` is one that our own decoders serve."""
    return (
        config.get("model_type") in FAMILIES
        and config.get("hidden_act") == "silu"
        and _rope_type(config) in ("default", "linear")
        and not config.get("use_sliding_window")
        and all(kind == "full_attention" for kind in config.get("layer_types") or ())
        and not config.get("quantization_config")
        and not config.get("mlp_bias")
        and not (config["model_type"] == "llama" and config.get("attention_bias"))
    )


def _rope(config: Mapping[str, Any]) -> dict[str, Any]:
    """What is said of RoPE, under its names in transformers 5 (``rope_parameters``) and before it."""
    older = {"rope_theta": config["rope_theta"]} if config.get("rope_theta") else {}
    return {**older, **(config.get("rope_scaling") or {}), **(config.get("rope_parameters") or {})}


def _rope_type(config: Mapping[str, Any]) -> str:
    rope = _rope(config)
    kind: str = rope.get("rope_type") or rope.get("type") or "default"
    return kind
