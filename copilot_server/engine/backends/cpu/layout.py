"""Which tensors a model's files must hold, and which the packed file then holds, each with its exact shape.

A model folder may come from anywhere, and the kernels read memory by the sizes in its config.json alone. So
every tensor is compared with these tables before anything reads it.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping
from typing import Any, Literal, TypeAlias

import numpy as np

from copilot_server.engine.backends.cpu.library import BLOCK, GROUP
from copilot_server.engine.backends.cpu.tensors import ALIGNMENT, Array
from copilot_server.engine.models.architecture import Architecture

Dtype = Literal["float32", "bfloat16", "int8", "gguf"]
#: How a matrix is packed: as numbers that the packing rounds to, or as a GGUF file has it.
Format = Literal["float32", "bfloat16", "int8", "q4_0", "q5_0", "q8_0", "q4_k", "q5_k", "q6_k"]
#: The format of each matrix, by the name of the matrix without a suffix.
Formats: TypeAlias = Mapping[str, Format]
Shape: TypeAlias = tuple[int, ...]
#: The dtype and shape of each packed tensor, in the order of the file.
Layout: TypeAlias = Mapping[str, tuple[Any, Shape]]
_Packed: TypeAlias = tuple[str, tuple[Any, Shape]]
Tensors: TypeAlias = Mapping[str, tuple[str, Array]]

#: Outputs that the kernels compute together (decoder.h).
PAIR = 2 * BLOCK
#: The number formats, as safetensors names them, that weights can be packed from.
SOURCE_DTYPES = ("F32", "F16", "BF16")
#: Of each format of a GGUF file that the kernels compute with (``Coding`` in kernels/decoder.h): how many
#: inputs a piece of a block has, and its bytes.
PIECES: Mapping[Format, tuple[int, int]] = {
    "q4_0": (32, 288),
    "q5_0": (32, 352),
    "q8_0": (32, 544),
    "q4_k": (256, 2368),
    "q5_k": (256, 2880),
    "q6_k": (256, 3360),
}
_BIAS = "model.layers.0.self_attn.q_proj.bias"


def has_bias(tensors: Tensors) -> bool:
    """Whether the queries, keys and values of a model have biases, as Qwen2's do and Llama's do not."""
    return _BIAS in tensors


def check_sources(tensors: Tensors, architecture: Architecture) -> None:
    """Compare a model's own tensors with its architecture; any others are ignored.

    Raises:
        ValueError: a tensor is missing, or has another shape or number format than it must have.
    """
    for name, shape in source_shapes(architecture, bias=has_bias(tensors)):
        if name not in tensors:
            raise ValueError(f"the tensor {name} is missing")
        dtype, array = tensors[name]
        if array.shape != shape:
            raise ValueError(f"the tensor {name} has the shape {array.shape}, where {shape} is needed")
        if dtype not in SOURCE_DTYPES:
            raise ValueError(f"the tensor {name} holds {dtype}, which is not a number format of weights")


def source_shapes(architecture: Architecture, *, bias: bool) -> Iterator[tuple[str, Shape]]:
    """The name and shape of every tensor that a model's own files must hold."""
    shape = architecture
    queries, keys = shape.heads * shape.head_dim, shape.kv_heads * shape.head_dim
    for i in range(shape.layers):
        layer = f"model.layers.{i}"
        yield f"{layer}.input_layernorm.weight", (shape.hidden,)
        for name, outputs in (("q", queries), ("k", keys), ("v", keys)):
            yield f"{layer}.self_attn.{name}_proj.weight", (outputs, shape.hidden)
            if bias:
                yield f"{layer}.self_attn.{name}_proj.bias", (outputs,)
        yield f"{layer}.self_attn.o_proj.weight", (shape.hidden, queries)
        yield f"{layer}.post_attention_layernorm.weight", (shape.hidden,)
        yield f"{layer}.mlp.gate_proj.weight", (shape.intermediate, shape.hidden)
        yield f"{layer}.mlp.up_proj.weight", (shape.intermediate, shape.hidden)
        yield f"{layer}.mlp.down_proj.weight", (shape.hidden, shape.intermediate)
    yield "model.norm.weight", (shape.hidden,)
    yield "model.embed_tokens.weight", (shape.vocab_size, shape.hidden)
    if not shape.tied:
        yield "lm_head.weight", (shape.vocab_size, shape.hidden)


def uniform(architecture: Architecture, dtype: Literal["float32", "bfloat16", "int8"]) -> Formats:
    """The formats of a model whose matrices are all packed in ``dtype``."""
    return dict.fromkeys(matrices(architecture), dtype)


def matrices(architecture: Architecture, *, values_apart: Container[int] = ()) -> Mapping[str, Shape]:
    """The matrices that the kernels multiply by: outputs and inputs of each, not padded.

    ``values_apart``: the layers whose values are in a matrix of their own, since the file has them in another
    format than queries and keys.
    """
    shape = architecture
    queries, keys = shape.heads * shape.head_dim, shape.kv_heads * shape.head_dim
    of_model: dict[str, Shape] = {}
    for i in range(shape.layers):
        apart = i in values_apart
        of_model[f"layers.{i}.qkv"] = (queries + (1 if apart else 2) * keys, shape.hidden)
        if apart:
            of_model[f"layers.{i}.values"] = (keys, shape.hidden)
        of_model[f"layers.{i}.output"] = (shape.hidden, queries)
        of_model[f"layers.{i}.gate_up"] = (2 * padded(shape.intermediate, GROUP), shape.hidden)
        of_model[f"layers.{i}.down"] = (shape.hidden, shape.intermediate)
    for name in ("embedding",) if shape.tied else ("embedding", "head"):
        of_model[name] = (shape.vocab_size, shape.hidden)
    return of_model


def packed_layout(architecture: Architecture, formats: Formats, *, bias: bool) -> Layout:
    """The packed file's tensors. Outputs are padded to pairs of blocks, inputs to groups (decoder.h).

    Raises:
        ValueError: these are not the formats of this model's matrices, or the kernels have no such matrix.
    """
    return dict(_packed_tensors(architecture, formats, bias=bias))


def matches_layout(tensors: Tensors, architecture: Architecture, formats: Formats) -> bool:
    """Whether these are exactly the tensors of the packed file, each aligned for vector instructions."""
    layout = packed_layout(architecture, formats, bias="layers.0.qkv.bias" in tensors)
    return tensors.keys() == layout.keys() and all(
        array.dtype == np.dtype(kind) and array.shape == shape and array.ctypes.data % ALIGNMENT == 0
        for (kind, shape), (_, array) in ((layout[name], tensors[name]) for name in layout)
    )


def _packed_tensors(shape: Architecture, formats: Formats, *, bias: bool) -> Iterator[_Packed]:
    hidden = padded(shape.hidden, GROUP)
    qkv = (shape.heads + 2 * shape.kv_heads) * shape.head_dim
    of_model = matrix_shapes(shape, formats)
    if of_model.keys() != formats.keys():
        raise ValueError("these are the formats of another model's matrices")
    if (
        any(name.endswith(".values") for name in formats)
        and (shape.heads + shape.kv_heads) * shape.head_dim % PAIR
    ):
        raise ValueError("queries and keys do not fill whole pairs of blocks")
    for name, (outputs, inputs) in of_model.items():
        layer, _, part = name.rpartition(".")
        if part in {"qkv", "gate_up"}:
            yield f"{layer}.{'attention' if part == 'qkv' else 'mlp'}_norm", (np.float32, (hidden,))
        if bias and part == "qkv":
            yield f"{name}.bias", (np.float32, (padded(qkv, PAIR),))
        yield from _matrix(name, outputs, inputs, formats[name])
    yield "final_norm", (np.float32, (hidden,))


def _matrix(name: str, outputs: int, inputs: int, kind: Format) -> Iterator[_Packed]:
    blocks, width = padded(outputs, PAIR) // BLOCK, padded(inputs, GROUP)
    if kind in PIECES:
        step, size = PIECES[kind]
        if width != inputs or inputs % step:
            raise ValueError(f"{name} has {inputs} inputs, which {kind} does not divide")
        yield f"{name}.data", (np.uint8, (blocks, inputs // step * size))
    elif kind == "int8":
        yield f"{name}.data", (np.uint8, (blocks, width // 4, BLOCK, 4))
        yield f"{name}.scales", (np.uint16, (blocks, width // GROUP, BLOCK))
    else:
        yield f"{name}.data", (np.float32 if kind == "float32" else np.uint16, (blocks, width, BLOCK))


def matrix_shapes(architecture: Architecture, formats: Formats) -> Mapping[str, Shape]:
    """The matrices whose formats these are: outputs and inputs of each, not padded."""
    apart = {i for i in range(architecture.layers) if f"layers.{i}.values" in formats}
    return matrices(architecture, values_apart=apart)


def padded(count: int, to: int) -> int:
    """The next multiple of ``to``."""
    return -(-count // to) * to
