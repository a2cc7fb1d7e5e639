"""The weights of a tensor in a GGUF file, as bytes and as numbers."""

from __future__ import annotations

import mmap
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from copilot_server.engine.models.gguf_header import TensorEntry

Array: TypeAlias = npt.NDArray[Any]

#: The rows that ``are_one_matrix`` needs of two matrices, and how far they may be apart, as a share.
SAMPLE, _NEAR = slice(None, None, 64), 0.2


def rows_of(name: str, entry: TensorEntry, data: mmap.mmap) -> Array:
    """The bytes of a tensor, (outputs, bytes of a row), mapped into memory but not read.

    Raises:
        ValueError: it does not lie within the file.
    """
    if entry.start + entry.size_bytes > len(data):
        raise ValueError(f"the tensor {name} does not lie within the file")
    raw = np.frombuffer(data, np.uint8, entry.size_bytes, entry.start)
    return raw.reshape(*reversed(entry.shape[1:]), -1)


def dequantized(rows: Array, kind: str) -> Array:
    """The numbers in rows of bytes, in float32; ``kind``: their format by ggml's name."""
    from gguf import GGMLQuantizationType, dequantize  # noqa: PLC0415 - a quarter of a second

    with np.errstate(invalid="ignore", over="ignore"):  # scales that are not finite stay so, and are refused
        return dequantize(np.ascontiguousarray(rows), GGMLQuantizationType[kind])


def are_one_matrix(head: Array, embedding: Array) -> bool:
    """Whether these are rows of one matrix that was quantized twice, as llama.cpp does with a tied one."""
    with np.errstate(invalid="ignore", over="ignore"):
        return bool(np.linalg.norm(head - embedding) < _NEAR * np.linalg.norm(embedding))
