"""From a model's folder to the plain engine: any architecture that transformers knows, token by token."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from tokenizers import Tokenizer as FastTokenizer
from torch import nn
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel

from copilot_server.engine.backends.transformers.engine import TorchEngine
from copilot_server.engine.models.tokenizer import Tokenizer
from copilot_server.engine.models.transformers_output import silence_transformers
from copilot_server.errors import EngineError, ModelError


def open_torch_engine(
    folder: Path, device: torch.device, dtype: torch.dtype, notices: Sequence[str] = ()
) -> TorchEngine:
    """Load the model in a folder of transformers' format.

    Raises:
        ModelError: the files are not a model that transformers reads.
        EngineError: it does not fit in memory, or has no fast tokenizer.
    """
    silence_transformers()
    model, tokenizer = _load(folder, dtype)
    _move(model, device)
    return TorchEngine(model, tokenizer, _context_length(model), notices)


def _load(folder: Path, dtype: torch.dtype) -> tuple[PreTrainedModel, Tokenizer]:
    try:
        model: PreTrainedModel = AutoModelForCausalLM.from_pretrained(
            folder, dtype=dtype, local_files_only=True
        )
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    except (ValueError, OSError, KeyError) as error:
        msg = f"{folder} does not hold a language model that transformers can read ({error})."
        remedy = "It needs config.json, tokenizer.json and weights in safetensors."
        raise ModelError(msg, remedy=remedy) from error
    model.train(mode=False)
    fast = getattr(tokenizer, "backend_tokenizer", None)
    if not isinstance(fast, FastTokenizer):
        msg = f"{type(tokenizer).__name__} has no fast form, which this engine needs."
        raise EngineError(msg, remedy="Choose a model that ships a tokenizer.json.")
    return model, Tokenizer(fast)


def _move(model: PreTrainedModel, device: torch.device) -> None:
    try:
        nn.Module.to(model, device)
    except torch.OutOfMemoryError as error:
        size = sum(weight.nbytes for weight in model.parameters())
        msg = f"The model's {size / 1e9:.1f} GB do not fit in the memory of {device}."
        raise EngineError(msg, remedy="Choose a smaller model, or --device cpu.") from error


def _context_length(model: PreTrainedModel) -> int:
    """The window the model was trained with, by whichever name its family gives it."""
    for name in ("max_position_embeddings", "n_positions", "n_ctx"):
        length = getattr(model.config, name, None)
        if isinstance(length, int):
            return length
    return 2048
