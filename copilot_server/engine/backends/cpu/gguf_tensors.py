"""The tensors of a Qwen2 model's GGUF file under transformers' names, and the formats to pack them in."""

from __future__ import annotations

import mmap
from collections.abc import Sequence
from pathlib import Path

from copilot_server.engine.backends.cpu.layout import (
    PAIR,
    PIECES,
    SOURCE_DTYPES,
    Format,
    Formats,
    Tensors,
    matrices,
    source_shapes,
)
from copilot_server.engine.backends.cpu.library import GROUP
from copilot_server.engine.backends.cpu.packing import matrix_sources
from copilot_server.engine.backends.cpu.tensors import DTYPES, Array
from copilot_server.engine.models.architecture import Architecture
from copilot_server.engine.models.gguf_data import rows_of
from copilot_server.engine.models.gguf_header import TensorEntry, read_header, read_table

#: Each part of a name in transformers, and in GGUF files.
_NAMES = {
    "model.layers.": "blk.",
    "input_layernorm": "attn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "post_attention_layernorm": "ffn_norm",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
    "model.norm": "output_norm",
    "model.embed_tokens": "token_embd",
    "lm_head": "output",
}


def map_gguf(path: Path, architecture: Architecture, folder: Path | None = None) -> Tensors:
    """The tensors that the architecture needs, mapped into memory but not read.

    ``folder``: the one that describes the file, and may have its table of tensors.

    Those in blocks are given as bytes, (outputs, bytes of a row). Of two matrices for a tied head and
    embedding the head's is taken, which llama.cpp stores at a higher precision.

    Raises:
        OSError: the file cannot be read.
        ValueError, TypeError, struct.error, LookupError: it is damaged, or a tensor is missing or has another
            shape.
    """
    with path.open("rb") as file:
        data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    entries = (folder and read_table(folder)) or read_header(data).tensors
    bias = "blk.0.attn_q.bias" in entries
    tensors = {}
    for name, shape in source_shapes(architecture, bias=bias):
        source = _name_in_file(name)
        if architecture.tied and source == "token_embd.weight" and "output.weight" in entries:
            source = "output.weight"
        if source not in entries:
            raise ValueError(f"the tensor {source} is missing")
        tensors[name] = (entries[source].kind, _array(source, entries[source], shape, data))
    return tensors


def formats_of(tensors: Tensors, architecture: Architecture) -> Formats:
    """The format to pack each matrix in: the file's own where the kernels compute with it, int8 otherwise.

    The output and the embedding are packed in int8, since single rows of the embedding are read.
    """
    apart = {i for i in range(architecture.layers) if _are_values_apart(tensors, architecture, i)}
    shapes = matrices(architecture, values_apart=apart)
    return {
        name: _format([tensors[one][0] for one in matrix_sources(name, shapes)], inputs)
        if name.startswith("layers.")
        else "int8"
        for name, (_, inputs) in shapes.items()
    }


def _are_values_apart(tensors: Tensors, architecture: Architecture, layer: int) -> bool:
    """Whether a layer's queries and keys can stay as they are, but not beside its values."""
    shape = architecture
    queries, keys, values = (tensors[f"model.layers.{layer}.self_attn.{x}_proj.weight"][0] for x in "qkv")
    fits = (shape.heads + shape.kv_heads) * shape.head_dim % PAIR == 0
    return fits and values != queries and _format([queries, keys], shape.hidden) != "int8"


def _format(kinds: Sequence[str], inputs: int) -> Format:
    (kind, *others) = (kind.lower() for kind in kinds)
    for known, (step, _) in PIECES.items():
        if kind == known and set(others) <= {kind} and inputs % step == 0 and inputs % GROUP == 0:
            return known
    return "int8"


def _name_in_file(name: str) -> str:
    for theirs, ours in _NAMES.items():
        name = name.replace(theirs, ours)
    return name


def _array(name: str, entry: TensorEntry, shape: Sequence[int], data: mmap.mmap) -> Array:
    if entry.shape != tuple(reversed(shape)):
        raise ValueError(f"the tensor {name} has the shape {entry.shape}, where {shape} reversed is needed")
    rows = rows_of(name, entry, data)
    return rows.view(DTYPES[entry.kind]) if entry.kind in SOURCE_DTYPES else rows
