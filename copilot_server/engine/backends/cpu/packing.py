"""What a packed file holds, computed from a model's own tensors a piece at a time."""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence
from typing import TypeAlias

import numpy as np

from copilot_server.engine.backends.cpu.gguf_blocks import PACK_BLOCKS
from copilot_server.engine.backends.cpu.layout import PAIR, PIECES, Format, Formats, Layout, Tensors, padded
from copilot_server.engine.backends.cpu.library import BLOCK, GROUP
from copilot_server.engine.backends.cpu.tensors import Array, as_float32, slabs

#: Outputs packed at a time: what is computed of them stays in the processor's caches.
SLAB = 1024

_Source: TypeAlias = "tuple[str, Array]"


def parts(tensors: Tensors, formats: Formats, layout: Layout) -> Iterator[tuple[str, Iterator[Array]]]:
    """The name and the pieces of each tensor of a packed file, in the order of its layout."""
    scales: list[Array] = []
    for name, (_, shape) in layout.items():
        matrix, _, part = name.rpartition(".")
        if part == "data":
            scales = []
            yield name, _data(_sources(tensors, matrix, formats), formats[matrix], scales)
        elif part == "scales":  # they follow the data, with which they were computed
            yield name, map(_blocked, scales)
        else:
            yield name, iter([_vector(tensors, name, shape[0])])


def _vector(tensors: Tensors, name: str, width: int) -> Array:
    values = np.concatenate([as_float32(tensors[one]) for one in vector_sources(name)])
    return np.pad(values, (0, width - len(values)))


def vector_sources(name: str) -> Sequence[str]:
    """The tensors that a packed vector is made of."""
    prefix, _, part = f"model.{name}".rpartition(".")
    if part == "bias":
        return [f"{prefix.removesuffix('.qkv')}.self_attn.{x}_proj.bias" for x in "qkv"]
    norms = {
        "attention_norm": "input_layernorm",
        "mlp_norm": "post_attention_layernorm",
        "final_norm": "norm",
    }
    return [f"{prefix}.{norms[part]}.weight"]


def matrix_sources(name: str, matrices: Container[str]) -> Sequence[str]:
    """The tensors that a packed matrix is made of; ``matrices``: the names of all."""
    if name == "head":
        return ["lm_head.weight"]
    if name == "embedding":
        return ["model.embed_tokens.weight"]
    layer, _, part = name.rpartition(".")
    apart = f"{layer}.values" in matrices
    parts_of = {
        "qkv": [f"self_attn.{x}_proj" for x in ("qk" if apart else "qkv")],
        "values": ["self_attn.v_proj"],
        "output": ["self_attn.o_proj"],
        "gate_up": ["mlp.gate_proj", "mlp.up_proj"],
        "down": ["mlp.down_proj"],
    }
    return [f"model.{layer}.{one}.weight" for one in parts_of[part]]


def _sources(tensors: Tensors, name: str, formats: Formats) -> Iterator[_Source]:
    """The rows of a matrix, a few thousand at a time; several tensors, which are small, are joined."""
    sources = [tensors[one] for one in matrix_sources(name, formats)]
    if formats[name] not in PIECES:
        sources = sources if len(sources) == 1 else [("F32", as_float32(source)) for source in sources]
    if name.endswith(".gate_up"):
        sources = [_interleaved(*sources)]
    elif len(sources) > 1:
        sources = [(sources[0][0], np.concatenate([rows for _, rows in sources]))]
    for kind, rows in sources:
        for some in slabs(rows, SLAB):
            yield kind, _padded_rows(some, padded(len(some), PAIR))


def _interleaved(gate: _Source, up: _Source) -> _Source:
    """A block of gates, a block of ups, and so on, so that one tile of the product has both."""
    blocks = [_padded_rows(rows, padded(len(rows), GROUP)) for _, rows in (gate, up)]
    paired = np.stack([rows.reshape(-1, BLOCK, rows.shape[1]) for rows in blocks], axis=1)
    return gate[0], paired.reshape(-1, paired.shape[-1])


def _data(sources: Iterator[_Source], kind: Format, scales: list[Array]) -> Iterator[Array]:
    """The pieces of a matrix; the scales of int8 ones are appended to ``scales``."""
    for source in sources:
        if kind in PIECES:
            yield PACK_BLOCKS[kind](source[1])
        elif kind == "int8":
            values, factors = _quantized(_floats(source))
            scales.append(factors)
            yield _packed(values)
        else:
            rows = _floats(source)
            yield _blocked(rows) if kind == "float32" else _blocked_bfloat16(rows)


def _floats(source: _Source) -> Array:
    """Rows in float32, as wide as whole groups."""
    rows = as_float32(source)
    return np.pad(rows, ((0, 0), (0, padded(rows.shape[1], GROUP) - rows.shape[1])))


def _quantized(rows: Array) -> tuple[Array, Array]:
    """Rows as integers, (rows, inputs), and the scales of their groups in bfloat16, (rows, groups).

    A scale is rounded up to bfloat16 before the weights are divided by it, so that rounding it costs no
    accuracy.
    """
    groups = rows.reshape(len(rows), -1, GROUP)
    with np.errstate(invalid="ignore"):  # of a group that is not finite, only the scale says so
        bits = (np.abs(groups).max(axis=2) / np.float32(127)).view(np.uint32)
    scales = ((bits + np.uint32(0xFFFF)) >> 16).astype(np.uint16)
    factors = (scales.astype(np.uint32) << 16).view(np.float32)
    # The inverse of a smaller scale would overflow; weights as small as that become zeros.
    divides = factors >= np.finfo(np.float32).tiny
    inverse = np.divide(1.0, factors, out=np.zeros_like(factors), where=divides)
    with np.errstate(invalid="ignore"):  # as above
        values = np.rint(groups * inverse[:, :, None]).astype(np.int8)
    return values.reshape(rows.shape), scales


def _packed(values: Array) -> Array:
    """(rows, inputs) of int8 as (rows / 16, inputs / 4, 16, 4) of uint8, 128 added."""
    shifted = (values.view(np.uint8) ^ 0x80).reshape(-1, BLOCK, values.shape[1] // 4, 4)
    return shifted.transpose(0, 2, 1, 3)


def _blocked(rows: Array) -> Array:
    """(rows, columns) as (rows / 16, columns, 16)."""
    return rows.reshape(-1, BLOCK, rows.shape[1]).transpose(0, 2, 1)


def _blocked_bfloat16(rows: Array) -> Array:
    bits = rows.view(np.uint32)
    nearest = bits + 0x7FFF + ((bits >> 16) & 1)  # to the nearest, ties to even
    return _blocked((nearest >> 16).astype(np.uint16))


def _padded_rows(rows: Array, count: int) -> Array:
    return rows if len(rows) == count else np.pad(rows, ((0, count - len(rows)), (0, 0)))
