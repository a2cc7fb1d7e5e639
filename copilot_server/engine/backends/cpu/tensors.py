"""Reading and writing safetensors files without torch, and with data where vector instructions want it."""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

#: Each tensor begins at a multiple of this many bytes of a file that we write: a cache line.
ALIGNMENT = 64

#: safetensors' names for numbers, as numpy sees them; bfloat16, which it lacks, as the bits.
_DTYPES = {"F32": "<f4", "F16": "<f2", "BF16": "<u2", "U8": "u1", "U16": "<u2"}
_NAMES = {np.dtype("<f4"): "F32", np.dtype("u1"): "U8", np.dtype("<u2"): "U16"}


def map_tensors(path: Path) -> dict[str, tuple[str, Array]]:
    """Each tensor of a safetensors file with its number format's name, mapped and not read.

    Raises:
        ValueError: it is no safetensors file, or it has a number format that is not ours to read.
    """
    data = np.memmap(path, dtype=np.uint8, mode="r")
    length = struct.unpack("<Q", data[:8].tobytes())[0] if len(data) >= 8 else 0
    if not 2 <= length <= len(data) - 8:
        raise ValueError(f"{path} is not a safetensors file")
    header = json.loads(data[8 : 8 + length].tobytes())
    header.pop("__metadata__", None)
    return {name: _tensor(data[8 + length :], name, entry) for name, entry in header.items()}


def metadata(path: Path) -> dict[str, str]:
    """What a safetensors file says of itself.

    Raises:
        ValueError: it is no safetensors file.
    """
    with path.open("rb") as file:
        start = file.read(8)
        length = struct.unpack("<Q", start)[0] if len(start) == 8 else 0
        if not 2 <= length <= path.stat().st_size:
            raise ValueError(f"{path} is not a safetensors file")
        return dict(json.loads(file.read(length)).get("__metadata__", {}))


def write_tensors(
    path: Path,
    layout: Mapping[str, tuple[npt.DTypeLike, tuple[int, ...]]],
    arrays: Iterable[tuple[str, Iterable[Array]]],
    about: Mapping[str, str],
) -> None:
    """Write a safetensors file piece by piece, so that no more than a piece is in memory.

    ``layout``: each tensor's dtype and shape, in the order in which ``arrays`` yields their pieces. The
    header is padded with spaces, as the format allows, and so are the tensors with bytes of their own.
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
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for _, pieces in arrays:
            for piece in pieces:
                file.write(np.ascontiguousarray(piece).data)


def as_float32(tensor: tuple[str, Array]) -> Array:
    """A tensor's numbers in float32."""
    dtype, array = tensor
    if dtype == "BF16":
        return (array.astype(np.uint32) << 16).view(np.float32)
    return array.astype(np.float32)


def slabs(array: Array, rows: int) -> Iterator[Array]:
    """Views of ``rows`` rows each, the last with what is left."""
    for start in range(0, len(array), rows):
        yield array[start : start + rows]


def _tensor(data: Array, name: str, entry: Mapping[str, Any]) -> tuple[str, Array]:
    dtype = str(entry["dtype"])
    start, end = entry["data_offsets"]
    if dtype not in _DTYPES or not 0 <= start <= end <= len(data):
        raise ValueError(f"the tensor {name} of {dtype} cannot be read")
    return dtype, data[start:end].view(_DTYPES[dtype]).reshape(entry["shape"])
