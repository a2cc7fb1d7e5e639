"""The shape of a Llama-like model, and which models our own decoders serve."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from copilot_server.errors import ModelError

#: Model families that consist of RMSNorm, RoPE, grouped-query attention and SwiGLU, and nothing else.
FAMILIES = ("qwen2", "llama")
#: The smallest and the largest value of each size in config.json. The decoders allocate and index memory by
#: these numbers, so they are checked before anything else. No published model of these families comes near
#: the limits.
SIZES = {
    "layers": (1, 1024),
    "hidden": (1, 2**16),
    "heads": (1, 1024),
    "kv_heads": (1, 1024),
    "head_dim": (2, 1024),
    "intermediate": (1, 2**18),
    "vocab_size": (1, 2**22),
    "context_length": (1, 2**24),
}
#: The same for the numbers that need not be integers.
FACTORS = {"rms_eps": (1e-30, 1.0), "rope_theta": (1.0, 1e15), "rope_factor": (1e-3, 1e6)}


@dataclass(frozen=True, slots=True)
class Architecture:
    """Everything that a decoder of this family needs to know besides its weights.

    ``heads`` query heads share ``kv_heads`` keys and values; ``rope_factor`` divides positions (linear
    scaling); if ``tied``, the embedding is also the head.
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

    def __post_init__(self) -> None:
        """Raise ValueError if no model can have these numbers."""
        for name, (least, most) in SIZES.items():
            size = getattr(self, name)
            if type(size) is not int or not least <= size <= most:
                raise ValueError(f"{name} is {size!r}, not a whole number from {least} to {most}")
        for name, (low, high) in FACTORS.items():
            factor = getattr(self, name)
            if type(factor) not in (int, float) or not low <= factor <= high:
                raise ValueError(f"{name} is {factor!r}, not a number from {low:g} to {high:g}")
        if self.heads % self.kv_heads or self.head_dim % 2 or type(self.tied) is not bool:
            shape = f"{self.heads} heads, {self.kv_heads} of keys, of {self.head_dim}; tied: {self.tied!r}"
            raise ValueError(f"no decoder has this shape: {shape}")

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Architecture:
        """Read the ``config.json`` of a model that ``supports`` accepts.

        Raises:
            ValueError, KeyError, TypeError, ZeroDivisionError: it lacks a number, or has an impossible one.
        """
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
    """The shape of the model in a folder in transformers' format; None if it is of another kind.

    Raises:
        ModelError: its config.json cannot be read.
    """
    try:
        config = json.loads((folder / "config.json").read_text("utf-8"))
        return Architecture.from_config(config) if supports(config) else None
    except _UNREADABLE as error:
        msg = f"{folder} does not hold a language model that can be read (config.json: {error!r})."
        remedy = "It needs config.json, tokenizer.json and weights in safetensors."
        raise ModelError(msg, remedy=remedy) from error


#: What reading a damaged or hostile config.json raises.
_UNREADABLE = (
    OSError,
    ArithmeticError,
    AttributeError,
    LookupError,
    RecursionError,
    TypeError,
    ValueError,
)


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
    """The RoPE settings, by their names in transformers 5 (``rope_parameters``) and in earlier versions."""
    older = {"rope_theta": config["rope_theta"]} if config.get("rope_theta") else {}
    return {**older, **(config.get("rope_scaling") or {}), **(config.get("rope_parameters") or {})}


def _rope_type(config: Mapping[str, Any]) -> str:
    rope = _rope(config)
    kind: str = rope.get("rope_type") or rope.get("type") or "default"
    return kind
