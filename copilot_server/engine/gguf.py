"""GGUF files, unpacked once into a folder that loads in seconds."""

from __future__ import annotations

import hashlib
import io
import json
import logging
import os
import shutil
import tempfile
from contextlib import redirect_stderr
from pathlib import Path

import torch
from filelock import FileLock
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel

from copilot_server.errors import DiskSpaceError, ModelError
from copilot_server.fetch import home

_LOG = logging.getLogger(__name__)

#: Raise this when what is written below changes, so that older folders are made anew.
FORMAT = 1

SAMPLES, SAMPLE_BYTES = 64, 16384


def prepared_folder(gguf: Path) -> Path:
    """The folder with a GGUF file's weights in bfloat16 safetensors, made now if it is not there.

    It lies beside the file, or among the cached models where that is not ours to write to. Unpacking takes
    up to a minute. bfloat16 is what the weights were trained in; the rounding is far below that of the
    quantization which the file has been through.

    Raises:
        DiskSpaceError: no room for it.
        ModelError: the file is no GGUF that transformers reads.
    """
    parent = gguf.parent if os.access(gguf.parent, os.W_OK) else home() / "prepared"
    parent.mkdir(parents=True, exist_ok=True)
    folder = parent / f"{gguf.stem}-{_identity(gguf)}"
    with FileLock(f"{folder}.lock"):
        if not folder.exists():
            _prepare(gguf, folder)
    return folder


def _identity(gguf: Path) -> str:
    """Changes when the file does: a hash of samples from all over it, as reading it all takes seconds."""
    size = gguf.stat().st_size
    digest = hashlib.sha256(b"%d %d " % (FORMAT, size))
    with gguf.open("rb") as file:
        for sample in range(SAMPLES):
            file.seek(size * sample // SAMPLES)
            digest.update(file.read(SAMPLE_BYTES))
    return digest.hexdigest()[:12]


def _prepare(gguf: Path, folder: Path) -> None:
    _check_disk_space(gguf, folder.parent)
    _LOG.info("unpacking %s, once", gguf.name)
    with tempfile.TemporaryDirectory(prefix=".preparing-", dir=folder.parent) as scratch:
        _write(_read(gguf), gguf, Path(scratch) / "model")
        (Path(scratch) / "model").replace(folder)


def _check_disk_space(gguf: Path, folder: Path) -> None:
    needed = 5 * gguf.stat().st_size  # four bits a weight become sixteen, and the head room of one more
    free = shutil.disk_usage(folder).free
    if free < needed:
        msg = f"Unpacking {gguf} needs {needed / 1e9:.1f} GB in {folder}, {free / 1e9:.1f} GB are free."
        raise DiskSpaceError(msg, remedy="Make room, or set COPILOT_SERVER_HOME to another disk.")


def _read(gguf: Path) -> PreTrainedModel:
    try:
        with redirect_stderr(io.StringIO()):  # a progress bar that has no switch would fill an editor's log
            return AutoModelForCausalLM.from_pretrained(
                gguf.parent, gguf_file=gguf.name, dtype=torch.bfloat16
            )
    except (ValueError, OSError, KeyError, IndexError, NotImplementedError) as error:
        msg = f"{gguf} is not a GGUF file that transformers can read ({error})."
        raise ModelError(msg, remedy="Check the file, or name the model's folder in safetensors.") from error


def _write(model: PreTrainedModel, gguf: Path, folder: Path) -> None:
    folder.mkdir()
    weights = model.state_dict()
    config = model.config.to_dict()
    config.pop("quantization_config", None)  # nothing is quantized any more
    config["architectures"] = [type(model).__name__]
    if _was_tied(weights):
        # Both were one matrix; the head is kept at a higher precision, so it serves for both.
        config["tie_word_embeddings"] = True
        weights["model.embed_tokens.weight"] = weights.pop("lm_head.weight")
    (folder / "config.json").write_text(json.dumps(config, indent=2, default=str))
    model.generation_config.save_pretrained(folder)
    tensors = {name: weight.contiguous() for name, weight in weights.items()}
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})
    AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name).save_pretrained(folder)


def _was_tied(weights: dict[str, torch.Tensor]) -> bool:
    """Whether head and embedding are one matrix that was quantized twice, as llama.cpp does."""
    head, embedding = weights.get("lm_head.weight"), weights.get("model.embed_tokens.weight")
    if head is None or embedding is None or head.shape != embedding.shape:
        return False
    sample = slice(None, None, 64)
    head, embedding = head[sample].float(), embedding[sample].float()
    return bool((head - embedding).norm() < 0.2 * embedding.norm())
