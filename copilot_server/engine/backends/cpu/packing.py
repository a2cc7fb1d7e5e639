"""What a packed file holds, computed from a model's own tensors a piece at a time."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from copilot_server.engine.backends.cpu.layout import PAIR, PIECES, Format, Formats, Layout, Tensors, padded
from copilot_server.engine.backends.cpu.library import BLOCK, GROUP
from copilot_server.engine.backends.cpu.packer import Packer, Placed
from copilot_server.engine.backends.cpu.tensors import Array, as_float32

#: Outputs packed at a time, so that little memory is needed.
SLAB = 1024

_Source: TypeAlias = "tuple[str, Array]"


@dataclass(frozen=True, slots=True)
class _Piece:
    """Some outputs of a matrix, in whole pairs of blocks, and the rows that are placed in them."""

    outputs: int
    placed: Sequence[Placed]


def parts(
    tensors: Tensors, formats: Formats, layout: Layout, inputs: Mapping[str, int], packer: Packer
) -> Iterator[tuple[str, Iterator[Array]]]:
    """The name and the pieces of each tensor of a packed file, in the order of its layout.

    ``inputs``: how many each matrix has, not padded.
    """
    scales: list[Array] = []
    for name, (_, shape) in layout.items():
        matrix, _, part = name.rpartition(".")
        if part == "data":
            scales = []
            sources = [tensors[one] for one in matrix_sources(matrix, formats)]
            pieces = _alternating(*sources) if matrix.endswith(".gate_up") else _in_order(sources)
            yield name, _data(pieces, inputs[matrix], formats[matrix], packer, scales)
        elif part == "scales":  # they follow the data, with which they were computed
            yield name, iter(scales)
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


def _alternating(gate: _Source, up: _Source) -> Iterator[_Piece]:
    """A block of gates, a block of ups, and so on, so that one tile of the product has both."""
    total = padded(len(gate[1]), GROUP)
    for start in range(0, total, SLAB // 2):
        count = min(SLAB // 2, total - start)
        placed = [
            Placed(kind, rows[start : start + count], i * BLOCK, stride=2)
            for i, (kind, rows) in enumerate((gate, up))
        ]
        yield _Piece(2 * count, placed)


def _in_order(sources: Sequence[_Source]) -> Iterator[_Piece]:
    """The rows of one tensor after those of another."""
    if len({kind for kind, _ in sources}) == 1 and len(sources) > 1:  # blocks of files must fill whole blocks
        sources = [(sources[0][0], np.concatenate([rows for _, rows in sources]))]
    total = padded(sum(len(rows) for _, rows in sources), PAIR)
    for start in range(0, total, SLAB):
        end = min(start + SLAB, total)
        yield _Piece(end - start, list(_placed_between(sources, start, end)))


def _placed_between(sources: Sequence[_Source], start: int, end: int) -> Iterator[Placed]:
    before = 0
    for kind, rows in sources:
        some = rows[max(start - before, 0) : max(end - before, 0)]
        if len(some):
            yield Placed(kind, some, max(before - start, 0))
        before += len(rows)


def _data(
    pieces: Iterable[_Piece], inputs: int, kind: Format, packer: Packer, scales: list[Array]
) -> Iterator[Array]:
    """The packed pieces of a matrix; the scales of int8 ones are appended to ``scales``."""
    for piece in pieces:
        if kind in PIECES:
            yield packer.arranged(piece.placed, piece.outputs, inputs, kind)
        elif kind == "int8":
            values, factors = packer.rounded(piece.placed, piece.outputs, inputs)
            scales.append(factors)
            yield values
        else:
            rows = _floats(piece, padded(inputs, GROUP))
            yield _blocked(rows) if kind == "float32" else _blocked_bfloat16(rows)


def _floats(piece: _Piece, width: int) -> Array:
    """The rows in float32, as wide as whole groups."""
    floats = np.zeros((piece.outputs, width), np.float32)
    for placed in piece.placed:
        rows = as_float32((placed.kind, placed.rows))
        floats[placed.outputs, : rows.shape[1]] = rows
    return floats


def _blocked(rows: Array) -> Array:
    """(rows, columns) as (rows / 16, columns, 16)."""
    return rows.reshape(-1, BLOCK, rows.shape[1]).transpose(0, 2, 1)


def _blocked_bfloat16(rows: Array) -> Array:
    bits = rows.view(np.uint32)
    nearest = bits + 0x7FFF + ((bits >> 16) & 1)  # to the nearest, ties to even
    return _blocked((nearest >> 16).astype(np.uint16))
