"""Reading a GGUF file with transformers, and writing the model in transformers' own format."""

from __future__ import annotations

import io
import json
import shutil
from contextlib import redirect_stderr
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase

from copilot_server.engine.models.gguf_data import SAMPLE, are_one_matrix
from copilot_server.engine.models.transformers_output import silence_transformers
from copilot_server.errors import ModelError


def unpack(gguf: Path, folder: Path) -> None:
    """Write the model in a GGUF file to a new folder, its weights in bfloat16.

    Raises:
        ModelError: transformers cannot read the file as GGUF.
    """
    silence_transformers()
    with TemporaryDirectory(prefix=".reading-", dir=folder.parent) as scratch:
        alone = _alone(gguf, Path(scratch))
        try:
            model, tokenizer = _read(alone)
        except Exception as error:  # a file that anybody may have made raises anything
            msg = f"{gguf} is not a GGUF file that transformers can read ({error})."
            raise ModelError(
                msg, remedy="Check the file, or name the model's folder in safetensors."
            ) from error
        _write(model, folder)
        tokenizer.save_pretrained(folder)


def _alone(gguf: Path, scratch: Path) -> Path:
    """The file in an otherwise empty folder: transformers also reads what has certain names beside it."""
    alone = scratch / "model.gguf"
    try:
        alone.symlink_to(gguf.resolve())
    except OSError:  # Windows allows links to administrators only
        shutil.copyfile(gguf, alone)
    return alone


def _read(gguf: Path) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    tokenizer = AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name, trust_remote_code=False)
    with redirect_stderr(io.StringIO()):  # a progress bar that cannot be turned off would fill the log
        model = AutoModelForCausalLM.from_pretrained(
            gguf.parent, gguf_file=gguf.name, dtype=torch.bfloat16, trust_remote_code=False
        )
    return model, tokenizer


def _write(model: PreTrainedModel, folder: Path) -> None:
    folder.mkdir()
    weights = model.state_dict()
    config = model.config.to_dict()
    config.pop("quantization_config", None)  # nothing is quantized any more
    config["architectures"] = [type(model).__name__]
    if _was_tied(weights):
        # Both were one matrix. The head is stored at a higher precision, so it is used for both.
        config["tie_word_embeddings"] = True
        weights["model.embed_tokens.weight"] = weights.pop("lm_head.weight")
    (folder / "config.json").write_text(json.dumps(config, indent=2, default=str))
    model.generation_config.save_pretrained(folder)
    tensors = {name: weight.contiguous() for name, weight in weights.items()}
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})


def _was_tied(weights: dict[str, torch.Tensor]) -> bool:
    """Whether head and embedding are one matrix that was quantized twice."""
    head, embedding = weights.get("lm_head.weight"), weights.get("model.embed_tokens.weight")
    if head is None or embedding is None or head.shape != embedding.shape:
        return False
    return are_one_matrix(head[SAMPLE].float().numpy(), embedding[SAMPLE].float().numpy())
