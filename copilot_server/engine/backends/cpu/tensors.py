"""Reading and writing safetensors files without torch, with data aligned for vector instructions.

Source of the format: github.com/huggingface/safetensors, README. A file is hostile input: its
header is checked before any other byte is used.
"""

from __future__ import annotations

import hashlib
import json
import math
import struct
from collections.abc import Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from typing import IO, Any, TypeGuard

import numpy as np
import numpy.typing as npt

from copilot_server.engine.models.gguf_data import dequantized

Array = npt.NDArray[Any]

#: Each tensor begins at a multiple of this many bytes of a file that we write: a cache line.
ALIGNMENT = 64

#: The longest header, as in safetensors' own reader.
MAX_HEADER_BYTES = 100_000_000

#: The number formats as safetensors and numpy name them; numpy has no bfloat16, so its bits are read.
DTYPES = {"F32": "<f4", "F16": "<f2", "BF16": "<u2", "U8": "u1", "U16": "<u2"}
_NAMES = {np.dtype("<f4"): "F32", np.dtype("u1"): "U8", np.dtype("<u2"): "U16"}


def map_tensors(path: Path) -> dict[str, tuple[str, Array]]:
    """Each tensor of a safetensors file with the name of its number format, mapped into memory but not read.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is not a safetensors file, two tensors overlap, or one has a number format that this
            module does not read.
    """
    data = np.memmap(path, dtype=np.uint8, mode="r")
    length = struct.unpack("<Q", data[:8].tobytes())[0] if len(data) >= 8 else 0
    if not 2 <= length <= min(len(data) - 8, MAX_HEADER_BYTES):
        raise ValueError(f"{path} is not a safetensors file")
    header = _parse_header(data[8 : 8 + length].tobytes(), path)
    header.pop("__metadata__", None)
    tensors = {name: _tensor(data[8 + length :], name, entry) for name, entry in header.items()}
    _check_apart(header)
    return tensors


def metadata(path: Path) -> dict[str, str]:
    """The metadata in the header of a safetensors file.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is not a safetensors file.
    """
    with path.open("rb") as file:
        start = file.read(8)
        length = struct.unpack("<Q", start)[0] if len(start) == 8 else 0
        if not 2 <= length <= min(path.stat().st_size - 8, MAX_HEADER_BYTES):
            raise ValueError(f"{path} is not a safetensors file")
        about = _parse_header(file.read(length), path).get("__metadata__", {})
    if not isinstance(about, dict):
        raise ValueError(f"{path} is not a safetensors file")
    return about


def write_tensors(
    path: Path,
    layout: Mapping[str, tuple[npt.DTypeLike, tuple[int, ...]]],
    arrays: Iterable[tuple[str, Iterable[Array]]],
    about: Mapping[str, str],
) -> str:
    """Write a safetensors file piece by piece, so that only two pieces are in memory.

    While one is written, the next is computed. Returns the sha256 of the file.

    ``layout``: each tensor's dtype and shape, in the order in which ``arrays`` yields their pieces. The
    header is padded with spaces, as the format allows, so that the first tensor is aligned.

    Raises:
        ValueError: a tensor does not fill whole cache lines, or its pieces are not those of the layout.
    """
    header: dict[str, Any] = {"__metadata__": dict(about)}
    end = 0
    for name, (dtype, shape) in layout.items():
        start, end = end, end + math.prod(shape) * np.dtype(dtype).itemsize
        header[name] = {"dtype": _NAMES[np.dtype(dtype)], "shape": shape, "data_offsets": [start, end]}
        if end % ALIGNMENT:
            raise ValueError(f"{name} does not fill whole cache lines")
    text = json.dumps(header).encode()
    text += b" " * (-(len(text) + 8) % ALIGNMENT)
    with path.open("wb", buffering=0) as file, _Writer(file) as writer:
        writer.write(struct.pack("<Q", len(text)) + text)
        for (expected, (dtype, shape)), (name, pieces) in zip(layout.items(), arrays, strict=True):
            written = sum(writer.write(np.ascontiguousarray(piece, dtype).data.cast("B")) for piece in pieces)
            if name != expected or written != math.prod(shape) * np.dtype(dtype).itemsize:
                raise ValueError(f"{written} bytes of {name} were written in place of {expected}")
    return writer.sha256


class _Writer:
    """Writes to a file in a thread, one piece after the other, and computes the hash of all."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._hash = hashlib.sha256()
        self._thread = ThreadPoolExecutor(1)
        self._writing: Future[None] | None = None

    def __enter__(self) -> _Writer:
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        self._thread.shutdown()
        if self._writing and kind is None:
            self._writing.result()

    def write(self, piece: bytes | memoryview) -> int:
        """Wait until what came before is written; then begin with a piece. Returns how many bytes it has.

        Raises:
            OSError: the disk is full, or another reason why what came before could not be written.
        """
        if self._writing:
            self._writing.result()
        self._writing = self._thread.submit(self._write, memoryview(piece))
        return len(piece)

    def _write(self, piece: memoryview) -> None:
        self._hash.update(piece)
        while piece:
            piece = piece[self._file.write(piece) :]

    @property
    def sha256(self) -> str:
        return self._hash.hexdigest()


def as_float32(tensor: tuple[str, Array]) -> Array:
    """The numbers of a tensor in float32; of one in a format of GGUF files, from its rows of bytes."""
    dtype, array = tensor
    if dtype == "BF16":
        return (array.astype(np.uint32) << 16).view(np.float32)
    if dtype in {"F16", "F32"}:
        return array.astype(np.float32)
    return dequantized(array, dtype)


def _parse_header(text: bytes, path: Path) -> dict[str, Any]:
    try:
        header = json.loads(text)
    except RecursionError:
        header = None
    if not isinstance(header, dict):
        raise ValueError(f"{path} is not a safetensors file")
    return header


def _tensor(data: Array, name: str, entry: Any) -> tuple[str, Array]:  # noqa: ANN401 - as the file has it
    if not isinstance(entry, dict):
        raise ValueError(f"the tensor {name} is not described")
    dtype, shape, offsets = entry.get("dtype"), entry.get("shape"), entry.get("data_offsets")
    if not (isinstance(dtype, str) and dtype in DTYPES and _are_sizes(shape) and _are_sizes(offsets)):
        raise ValueError(f"the tensor {name} of {dtype!r} cannot be read")
    start, end = offsets
    if not (start <= end <= len(data) and end - start == math.prod(shape) * np.dtype(DTYPES[dtype]).itemsize):
        raise ValueError(f"the tensor {name} does not lie within the file")
    return dtype, data[start:end].view(DTYPES[dtype]).reshape(shape)


def _are_sizes(values: Any) -> TypeGuard[list[int]]:  # noqa: ANN401 - as the file has it
    return isinstance(values, list) and all(type(value) is int and 0 <= value < 2**48 for value in values)


def _check_apart(header: Mapping[str, Any]) -> None:
    """Refuse tensors that overlap, with which a small file could claim any amount of memory."""
    ranges = sorted(tuple(entry["data_offsets"]) for entry in header.values())
    for (_, end), (start, _) in pairwise(ranges):
        if start < end:
            raise ValueError("two tensors overlap")
