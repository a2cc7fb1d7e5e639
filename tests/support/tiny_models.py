"""Random models, small enough to be made in a moment, of each architecture that is served."""

from __future__ import annotations

import textwrap
from pathlib import Path

import torch
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (
    AutoModelForCausalLM,
    CodeGenConfig,
    GPT2Config,
    GPTJConfig,
    GPTNeoConfig,
    LlamaConfig,
    PreTrainedConfig,
    PreTrainedTokenizerFast,
    Qwen2Config,
    Starcoder2Config,
)

CONTROL_TOKENS = (
    "<|endoftext|>",
    "<|im_start|>",
    "<|im_end|>",
    "<|fim_prefix|>",
    "<|fim_suffix|>",
    "<|fim_middle|>",
)

_WIDE = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
_GPT = {"n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 512}


def _configs(vocab_size: int) -> dict[str, PreTrainedConfig]:
    common = {"vocab_size": vocab_size, "bos_token_id": 0, "eos_token_id": 0, "max_position_embeddings": 512}
    gpt = {key: value for key, value in common.items() if key != "max_position_embeddings"}
    layers = [[["global", "local"], 1]]
    neo = {"hidden_size": 32, "num_layers": 2, "num_heads": 4, "attention_types": layers, "window_size": 16}
    return {
        "qwen2": Qwen2Config(**common, **_WIDE, num_key_value_heads=2),
        "llama": LlamaConfig(**common, **_WIDE, num_key_value_heads=2),
        "gpt2": GPT2Config(**gpt, **_GPT),
        "gpt-neo": GPTNeoConfig(**common, **neo),
        "gpt-j": GPTJConfig(**gpt, **_GPT, rotary_dim=4),
        "codegen": CodeGenConfig(**gpt, **_GPT, rotary_dim=4),
        "starcoder2": Starcoder2Config(**common, **_WIDE, num_key_value_heads=2, sliding_window=None),
    }


ARCHITECTURES = ("qwen2", "llama", "gpt2", "gpt-neo", "gpt-j", "codegen", "starcoder2")


def build_tiny_model(architecture: str, folder: Path) -> Path:
    """Write a random model and its tokenizer to ``folder`` in transformers' format."""
    tokenizer = build_tokenizer()
    torch.manual_seed(7)
    model = AutoModelForCausalLM.from_config(_configs(len(tokenizer))[architecture])
    with torch.no_grad():  # far from uniform, so that greedy choices are clear
        for weight in model.parameters():
            weight.mul_(4.0)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def build_tokenizer() -> PreTrainedTokenizerFast:
    """A byte-level BPE of a few hundred tokens, trained on this Python's own ``textwrap``."""
    fast = Tokenizer(models.BPE())
    fast.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    fast.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=600,
        show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        special_tokens=[AddedToken(token, special=True) for token in CONTROL_TOKENS],
    )
    fast.train_from_iterator([Path(textwrap.__file__).read_text("utf-8")], trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=fast, eos_token="<|endoftext|>", bos_token="<|endoftext|>", pad_token="<|endoftext|>"
    )
