"""A model and its KV cache in memory, laid out as the kernels read them."""

from __future__ import annotations

import contextlib
import mmap
from collections.abc import Mapping
from ctypes import c_float, sizeof
from typing import Any

import numpy as np

from copilot_server.engine.backends.cpu import library as c
from copilot_server.engine.backends.cpu.layout import PIECES
from copilot_server.engine.backends.cpu.tensors import Array
from copilot_server.engine.backends.cpu.weights import Weights
from copilot_server.engine.models.architecture import Architecture
from copilot_server.engine.models.rope import rope_table
from copilot_server.errors import EngineError


def check_architecture(shape: Architecture) -> None:
    """Raise EngineError where the kernels have too little room for a model of this shape."""
    if shape.head_dim > c.MAX_HEAD_SIZE:
        msg = f"The CPU kernels support heads of up to {c.MAX_HEAD_SIZE} numbers, not {shape.head_dim}."
        raise EngineError(msg, remedy="Choose another model, or serve this one on a GPU.")


def table_width(shape: Architecture, pages: int) -> int:
    """The most pages that one sequence can have."""
    return min(pages, -(-shape.context_length // c.PAGE_TOKENS))


def build_model(weights: Weights, pages: int) -> tuple[c.Model, list[Any]]:
    """The structure that the kernels read, with a KV cache of ``pages`` pages.

    Returns:
        The structure, and the objects whose memory it points to, which must outlive it.

    Raises:
        EngineError: the kernels have too little room for a model of this shape, or memory is short.
    """
    shape, tensors = weights.architecture, weights.tensors
    check_architecture(shape)
    layers = (c.Layer * shape.layers)(*(_layer(weights, i) for i in range(shape.layers)))
    cache_type = "float32" if weights.dtype == "float32" else "float16"
    # The kernels may read whole vectors from the last head: what follows it is not used, but must exist.
    size = c.MAX_HEAD_SIZE + shape.layers * shape.kv_heads * pages * c.PAGE_TOKENS * shape.head_dim
    keys, values = (_untouched_zeros(size, cache_type) for _ in range(2))
    rope = rope_table(shape, table_width(shape, pages) * c.PAGE_TOKENS)
    (norm,), (norm_bytes,) = _arrays(tensors, "final_norm")
    model = c.Model(
        layers=shape.layers,
        hidden=shape.hidden,
        intermediate=shape.intermediate,
        heads=shape.heads,
        kv_heads=shape.kv_heads,
        head_size=shape.head_dim,
        vocabulary=shape.vocab_size,
        norm_epsilon=shape.rms_eps,
        layer=layers,
        final_norm=norm,
        embedding=_matrix(weights, "embedding"),
        head=_matrix(weights, "embedding" if shape.tied else "head"),
        rope=rope.ctypes.data,
        keys=keys.ctypes.data,
        values=values.ctypes.data,
        cache_type=c.CACHE_TYPES[cache_type],
        pages=pages,
        bytes=(sizeof(layers), norm_bytes, rope.nbytes, keys.nbytes, values.nbytes),
    )
    return model, [layers, keys, values, rope, tensors]


def _untouched_zeros(count: int, dtype: str) -> Array:
    """Zeros that take no memory until they are written to, and then huge pages if the system has them.

    A prompt of 1,000 tokens writes to 12 MB for the first time; in small pages that takes a tenth of the time
    of the prefill.
    """
    try:
        memory = mmap.mmap(-1, count * np.dtype(dtype).itemsize)
    except (OSError, OverflowError) as error:
        msg = (
            f"There is no memory for a KV cache of {count * np.dtype(dtype).itemsize / 1e9:.1f} GB ({error})."
        )
        raise EngineError(msg, remedy="Close other programs, or choose a smaller model.") from error
    if hasattr(mmap, "MADV_HUGEPAGE"):
        with contextlib.suppress(OSError):  # the system has none
            memory.madvise(mmap.MADV_HUGEPAGE)
    return np.frombuffer(memory, dtype)


def _layer(weights: Weights, i: int) -> c.Layer:
    name = f"layers.{i}"
    norms, sizes = _arrays(weights.tensors, f"{name}.attention_norm", f"{name}.mlp_norm")
    qkv, values = _queries_keys_values(weights, i)
    return c.Layer(
        attention_norm=norms[0],
        qkv=qkv,
        values=values,
        output=_matrix(weights, f"{name}.output"),
        mlp_norm=norms[1],
        gate_up=_matrix(weights, f"{name}.gate_up"),
        down=_matrix(weights, f"{name}.down"),
        bytes=sizes,
    )


def _queries_keys_values(weights: Weights, layer: int) -> tuple[c.Matrix, c.Matrix]:
    """Their matrix, and the values' own one: of no outputs where the first has them too."""
    together = _matrix(weights, f"layers.{layer}.qkv")
    if f"layers.{layer}.values" not in weights.formats:
        return together, c.Matrix()
    values = _matrix(weights, f"layers.{layer}.values")
    if together.bias is not None:
        before = together.outputs * sizeof(c_float)
        values.bias, values.bytes[2] = together.bias + before, together.bytes[2] - before
        together.bytes[2] = before
    return together, values


def _matrix(weights: Weights, name: str) -> c.Matrix:
    shape, kind = weights.tensors[f"{name}.data"].shape, weights.formats[name]
    if kind in PIECES:
        step, size = PIECES[kind]
        inputs = shape[1] // size * step
    else:
        inputs = shape[1] * (4 if kind == "int8" else 1)
    pointers, sizes = _arrays(weights.tensors, f"{name}.data", f"{name}.scales", f"{name}.bias")
    return c.Matrix(*pointers, sizes, shape[0] * c.BLOCK, inputs, c.WEIGHT_TYPES[kind])


def _arrays(tensors: Mapping[str, Array], *names: str) -> tuple[list[int | None], tuple[int, ...]]:
    """The address of each tensor, None for those that the model lacks, and the bytes of each."""
    arrays = [tensors.get(name) for name in names]
    addresses = [None if array is None else int(array.ctypes.data) for array in arrays]
    return addresses, tuple(0 if array is None else array.nbytes for array in arrays)
