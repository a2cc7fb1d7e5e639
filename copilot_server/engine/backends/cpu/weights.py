"""A model's weights as the kernels read them: packed once into a file, mapped from it at each start."""

from __future__ import annotations

import json
import logging
import math
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
from filelock import FileLock

from copilot_server.engine.backends.cpu.layout import (
    PAIR,
    Dtype,
    Layout,
    Tensors,
    check_sources,
    has_bias,
    matches_layout,
    packed_layout,
    padded,
)
from copilot_server.engine.backends.cpu.library import BLOCK, GROUP
from copilot_server.engine.backends.cpu.tensors import (
    Array,
    as_float32,
    map_tensors,
    metadata,
    slabs,
    write_tensors,
)
from copilot_server.engine.models.architecture import Architecture
from copilot_server.errors import DiskSpaceError, ModelError
from copilot_server.fetch.derived import derived_folder, is_ours, seal

_LOG = logging.getLogger(__name__)

#: Increase this when layout.py or the packing below changes, so that older files are packed again.
FORMAT = 1
#: Outputs packed at a time: the head of a large model would not fit in memory in float32.
SLAB = 8192


@dataclass(frozen=True, slots=True)
class Weights:
    """Packed tensors by name, such as ``layers.0.qkv.data``, mapped from the file."""

    architecture: Architecture
    dtype: Dtype
    tensors: Mapping[str, Array]


def open_weights(folder: Path, architecture: Architecture, dtype: Dtype) -> Weights:
    """Map the packed weights of the model in ``folder``, and pack them first if no file holds them yet.

    Packing takes seconds, and in int8 one byte per weight on disk. The file lies beside the weights of a
    model that was pulled, and among the cached models for any other: what came with a folder is not believed.
    A packed file that others may write to, or with other tensors than the architecture's, is written again.

    Raises:
        DiskSpaceError: there is too little room for it.
        ModelError: the model's files lack a tensor, hold one of another shape, or cannot be read.
    """
    sources = sorted(folder.glob("model*.safetensors"))
    about = {
        "format": str(FORMAT),
        "architecture": json.dumps(asdict(architecture)),
        "sources": json.dumps(
            [(path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in sources]
        ),
    }
    # The suffix differs, since engines that read every *.safetensors of a folder would read this one too.
    path = derived_folder(folder) / f"packed-{dtype}.weights"
    with FileLock(f"{path}.lock"):
        tensors = _map_current(path, about, architecture, dtype)
        if tensors is None:
            _LOG.info("packing the weights of %s in %s, once", folder.name, dtype)
            _pack(sources, architecture, dtype, path, about)
            tensors = map_tensors(path)
    return Weights(architecture, dtype, {name: array for name, (_, array) in tensors.items()})


def _map_current(
    path: Path, about: Mapping[str, str], architecture: Architecture, dtype: Dtype
) -> Tensors | None:
    """The tensors of the packed file; None where it has to be written (again)."""
    try:
        if not is_ours(path) or metadata(path) != about:
            return None
        tensors = map_tensors(path)
    except (OSError, ValueError):
        return None
    return tensors if matches_layout(tensors, architecture, dtype) else None


def _pack(
    sources: list[Path], architecture: Architecture, dtype: Dtype, path: Path, about: Mapping[str, str]
) -> None:
    try:
        tensors: dict[str, tuple[str, Array]] = {}
        for file in sources:
            tensors |= map_tensors(file)
        check_sources(tensors, architecture)
    except (OSError, ValueError) as error:
        msg = f"The weights in {path.parent} cannot be read ({error})."
        raise ModelError(msg, remedy="Fetch the model again, or name another folder.") from error
    layout = packed_layout(architecture, dtype, bias=has_bias(tensors))
    _check_disk_space(layout, path.parent)
    handle, scratch = tempfile.mkstemp(prefix=".packing-", dir=path.parent)
    os.close(handle)
    try:
        write_tensors(Path(scratch), layout, _parts(tensors, architecture, dtype), about)
        Path(scratch).replace(path)
        seal(path)
    finally:
        Path(scratch).unlink(missing_ok=True)


def _check_disk_space(layout: Layout, folder: Path) -> None:
    needed = sum(math.prod(shape) * np.dtype(dtype).itemsize for dtype, shape in layout.values())
    free = shutil.disk_usage(folder).free
    if free < needed:
        msg = f"Packing the weights needs {needed / 1e9:.1f} GB in {folder}; {free / 1e9:.1f} GB are free."
        raise DiskSpaceError(msg, remedy="Free some space, or set COPILOT_SERVER_HOME to another disk.")


#: The name of a tensor of the packed file, and its pieces, computed as they are written.
_Part: TypeAlias = "tuple[str, Iterator[Array]]"


def _parts(tensors: Tensors, architecture: Architecture, dtype: Dtype) -> Iterator[_Part]:
    """The contents of ``packed_layout``, in its order."""
    hidden = padded(architecture.hidden, GROUP)
    for i in range(architecture.layers):
        names = f"model.layers.{i}."
        yield _vector(f"layers.{i}.attention_norm", tensors[f"{names}input_layernorm.weight"], hidden)
        heads = [f"{names}self_attn.{x}_proj" for x in "qkv"]
        yield from _matrix(f"layers.{i}.qkv", [tensors[f"{name}.weight"] for name in heads], dtype)
        if has_bias(tensors):
            bias = np.concatenate([as_float32(tensors[f"{name}.bias"]) for name in heads])
            yield _vector(f"layers.{i}.qkv.bias", ("F32", bias), padded(len(bias), PAIR))
        yield from _matrix(f"layers.{i}.output", [tensors[f"{names}self_attn.o_proj.weight"]], dtype)
        yield _vector(f"layers.{i}.mlp_norm", tensors[f"{names}post_attention_layernorm.weight"], hidden)
        gate, up = (tensors[f"{names}mlp.{x}_proj.weight"] for x in ("gate", "up"))
        yield from _matrix(f"layers.{i}.gate_up", [_interleaved(gate, up)], dtype)
        yield from _matrix(f"layers.{i}.down", [tensors[f"{names}mlp.down_proj.weight"]], dtype)
    yield _vector("final_norm", tensors["model.norm.weight"], hidden)
    yield from _matrix("embedding", [tensors["model.embed_tokens.weight"]], dtype)
    if not architecture.tied:
        yield from _matrix("head", [tensors["lm_head.weight"]], dtype)


def _interleaved(gate: tuple[str, Array], up: tuple[str, Array]) -> tuple[str, Array]:
    """A block of gates, a block of ups, and so on, so that one tile of the product has both."""
    blocks = [
        _padded_rows(as_float32(rows), padded(len(rows[1]), GROUP), rows[1].shape[1]) for rows in (gate, up)
    ]
    paired = np.stack([rows.reshape(-1, BLOCK, rows.shape[1]) for rows in blocks], axis=1)
    return "F32", paired.reshape(-1, paired.shape[-1])


def _vector(name: str, tensor: tuple[str, Array], width: int) -> _Part:
    values = as_float32(tensor)
    return name, iter([np.pad(values, (0, width - len(values)))])


def _matrix(name: str, sources: list[tuple[str, Array]], dtype: Dtype) -> Iterator[_Part]:
    """A matrix whose outputs are those of the sources, one after the other."""
    inputs = padded(sources[0][1].shape[1], GROUP)
    if dtype == "int8":
        yield f"{name}.data", (_packed(values) for values, _ in _quantized(sources, inputs))
        yield f"{name}.scales", (_blocked(scales) for _, scales in _quantized(sources, inputs))
        return
    convert = _blocked if dtype == "float32" else _blocked_bfloat16
    yield f"{name}.data", (convert(rows) for rows in _slabs_of(sources, inputs))


def _slabs_of(sources: list[tuple[str, Array]], inputs: int) -> Iterator[Array]:
    """Rows in float32, padded, a slab at a time; several sources, which are small, are joined first."""
    if len(sources) > 1:
        sources = [("F32", np.concatenate([as_float32(source) for source in sources]))]
    dtype, array = sources[0]
    for rows in slabs(array, SLAB):
        yield _padded_rows(as_float32((dtype, rows)), padded(len(rows), PAIR), inputs)


def _quantized(sources: list[tuple[str, Array]], inputs: int) -> Iterator[tuple[Array, Array]]:
    """Each slab as integers, (rows, inputs), and the scales of their groups, (rows, groups).

    A scale is rounded up to bfloat16 before the weights are divided by it, so that rounding it costs no
    accuracy.
    """
    for rows in _slabs_of(sources, inputs):
        groups = rows.reshape(len(rows), -1, GROUP)
        bits = (np.abs(groups).max(axis=2) / np.float32(127)).view(np.uint32)
        scales = ((bits + np.uint32(0xFFFF)) >> 16).astype(np.uint16)
        factors = (scales.astype(np.uint32) << 16).view(np.float32)
        inverse = np.divide(1.0, factors, out=np.zeros_like(factors), where=factors > 0)
        with np.errstate(invalid="ignore"):  # of a group that is not finite, only the scale says so
            values = np.rint(groups * inverse[:, :, None]).astype(np.int8)
        yield values.reshape(rows.shape), scales


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


def _padded_rows(rows: Array, count: int, width: int) -> Array:
    return np.pad(rows, ((0, count - len(rows)), (0, width - rows.shape[1])))
