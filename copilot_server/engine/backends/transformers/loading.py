"""From a model's folder to a runner on transformers, for any architecture that the library knows."""

from __future__ import annotations

from pathlib import Path

import psutil
import torch
from tokenizers import Tokenizer as FastTokenizer
from torch import nn
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel

from copilot_server.engine.backends.transformers.runner import TransformersRunner
from copilot_server.engine.backends.transformers.sizes import check_size
from copilot_server.engine.models.tokenizer import Tokenizer
from copilot_server.engine.models.tokenizer_limits import check_limits, library_errors
from copilot_server.engine.models.transformers_output import silence_transformers
from copilot_server.engine.models.weight_files import weight_files
from copilot_server.errors import EngineError, ModelError

#: The share of the memory that is available once the weights are there, which the KV cache may grow to.
CACHE_SHARE = 0.4
#: The most tokens that a KV cache grows to, and the least beside one sequence of full length.
MAX_CACHE_TOKENS, SPARE_TOKENS = 131072, 1024


def open_transformers_runner(
    folder: Path, device: torch.device, dtype: torch.dtype
) -> tuple[TransformersRunner, Tokenizer]:
    """Load the model in a folder of transformers' format, and its tokenizer.

    Raises:
        ModelError: the files are not a model that transformers can read.
        EngineError: the model does not fit in memory, or has no fast tokenizer.
    """
    silence_transformers()
    files = weight_files(folder)  # raises, since transformers would read pickles that an index names
    model, tokenizer = _load(folder, files, dtype)
    _move(model, device)
    length = _context_length(model)
    runner = TransformersRunner(model, context_length=length, max_tokens=_cache_tokens(model, length))
    return runner, tokenizer


def _load(folder: Path, files: list[Path], dtype: torch.dtype) -> tuple[PreTrainedModel, Tokenizer]:
    try:
        check_size(folder, files)
        model: PreTrainedModel = AutoModelForCausalLM.from_pretrained(
            folder, dtype=dtype, local_files_only=True, trust_remote_code=False, use_safetensors=True
        )
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        if isinstance(fast := getattr(tokenizer, "backend_tokenizer", None), FastTokenizer):
            check_limits(fast)
    except ModelError:
        raise
    except Exception as error:  # files that anybody may have made raise anything
        msg = f"{folder} does not hold a language model that transformers can read ({error})."
        remedy = "It needs config.json, tokenizer.json and weights in safetensors."
        raise ModelError(msg, remedy=remedy) from error
    model.train(mode=False)
    if not isinstance(fast, FastTokenizer):
        msg = f"{type(tokenizer).__name__} has no fast form, which this engine needs."
        raise EngineError(msg, remedy="Choose a model that ships a tokenizer.json.")
    with library_errors():
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


def _cache_tokens(model: PreTrainedModel, context_length: int) -> int:
    """How many tokens the KV cache may hold: at least one sequence of full length, whatever that takes."""
    config = model.config.get_text_config()
    heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
    size = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    bytes_per_token: int = 2 * config.num_hidden_layers * heads * size * model.dtype.itemsize
    affordable: int = int(_available_bytes(model.device) * CACHE_SHARE) // bytes_per_token
    return max(context_length + SPARE_TOKENS, min(affordable, MAX_CACHE_TOKENS))


def _available_bytes(device: torch.device) -> int:
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    return int(psutil.virtual_memory().available)
