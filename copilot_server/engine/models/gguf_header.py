"""The header of a GGUF file, checked before transformers reads it and allocates memory by its numbers.

Source of the format: github.com/ggml-org/ggml, docs/gguf.md. All numbers are little-endian.
"""

from __future__ import annotations

import json
import math
import mmap
import re
import struct
from collections.abc import Collection, Mapping
from dataclasses import astuple, dataclass, replace
from pathlib import Path
from typing import TypeAlias

from copilot_server.engine.models.architecture import SIZES
from copilot_server.errors import ModelError

#: The types of metadata values, as struct names them; a string and an array have no fixed size.
_SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_STRING, _ARRAY = 8, 9
_VERSIONS = (2, 3)
#: More than any published model has.
_MOST_TENSORS, _MOST_VALUES, _MOST_DIMENSIONS = 2**16, 2**12, 4
#: The largest value of any other number that describes an architecture, such as a context's length.
_MOST = 2**24
_LAYER = re.compile(r"blk\.(\d{1,6})\.")

#: What reading a damaged or hostile file raises.
UNREADABLE = (OSError, ValueError, struct.error, LookupError, OverflowError, TypeError)
#: Tensors begin at multiples of this many bytes, unless the file names another number.
_ALIGNMENT = 32
_TABLE = "tensors.json"

_Value: TypeAlias = "int | float | bool | str | list[str] | list[int] | None"


@dataclass(frozen=True, slots=True)
class TensorEntry:
    """Where a tensor lies: its dimensions, inputs first, and its ``size_bytes`` from ``start`` of the file.

    ``kind``: its number format by ggml's name, such as ``Q4_K``.
    """

    shape: tuple[int, ...]
    kind: str
    start: int
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Header:
    """What a file says of itself.

    ``values``: its metadata, with None for each array that was not asked for.
    """

    values: Mapping[str, _Value]
    tensors: Mapping[str, TensorEntry]


def check_header(gguf: Path) -> None:
    """Check that a file is whole, and that the model it describes is no larger than its tensors.

    Raises:
        ModelError: it is not.
    """
    try:
        with gguf.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            check_sizes(read_header(data), len(data))
    except UNREADABLE as error:
        msg = f"{gguf} is not a GGUF file that can be read ({error})."
        raise ModelError(msg, remedy="Fetch the file again, or name another one.") from error


def read_header(data: bytes | mmap.mmap, arrays: Collection[str] = ()) -> Header:
    """Read the metadata and the table of tensors.

    Args:
        data: The file.
        arrays: The names of the arrays to read, of strings or of whole numbers; the others are left out.

    Raises:
        ValueError, struct.error, LookupError: the file is damaged, or has more of something than any model.
    """
    reader = _Reader(data, arrays)
    if bytes(data[:4]) != b"GGUF":
        raise ValueError("it does not begin as one")
    reader.at = 4
    version, tensors, values = (reader.number(kind) for kind in "IQQ")
    if version not in _VERSIONS or tensors > _MOST_TENSORS or values > _MOST_VALUES:
        raise ValueError(f"version {version} with {tensors} tensors and {values} values")
    metadata = dict(reader.entry() for _ in range(values))
    described = dict(reader.tensor() for _ in range(tensors))
    if len(described) < tensors:
        raise ValueError("two tensors have one name")
    alignment = _size(metadata, "general.alignment", _ALIGNMENT)
    if not 0 < alignment <= _MOST:
        raise ValueError(f"its tensors are aligned to {alignment}")
    start = -(-reader.at // alignment) * alignment
    return Header(
        metadata, {name: replace(entry, start=start + entry.start) for name, entry in described.items()}
    )


def write_table(header: Header, folder: Path) -> None:
    """Write the table of tensors into a folder: it comes last in the file's header."""
    table = {name: astuple(entry) for name, entry in header.tensors.items()}
    (folder / _TABLE).write_text(json.dumps(table), "utf-8")


def read_table(folder: Path) -> dict[str, TensorEntry] | None:
    """What ``write_table`` wrote; None where an older version made the folder.

    Raises:
        OSError, ValueError, TypeError: it cannot be read.
    """
    if not (folder / _TABLE).exists():
        return None
    table = json.loads((folder / _TABLE).read_text("utf-8"))
    return {name: TensorEntry(tuple(shape), *others) for name, (shape, *others) in table.items()}


def check_sizes(header: Header, size_bytes: int) -> None:
    """Compare the size of the file, and the numbers that describe the architecture, with the tensors.

    Raises:
        ValueError: they contradict each other.
    """
    if sum(one.size_bytes for one in header.tensors.values()) > size_bytes:
        raise ValueError("its tensors take more bytes than it has")
    prefix = f"{header.values.get('general.architecture')}."
    numbers = {name[len(prefix) :]: x for name, x in header.values.items() if name.startswith(prefix)}
    for name, number in numbers.items():
        if isinstance(number, int) and not 0 <= number <= _MOST:
            raise ValueError(f"{prefix}{name} is {number}")
    layers, hidden = (_size(numbers, name) for name in ("block_count", "embedding_length"))
    shapes = {name: entry.shape for name, entry in header.tensors.items()}
    numbered = {int(found[1]) for name in shapes if (found := _LAYER.match(name))}
    if layers > min(len(numbered), SIZES["layers"][1]):
        raise ValueError(f"it has tensors of {len(numbered)} layers, and describes {layers}")
    embedding = shapes.get("token_embd.weight", ())
    if len(embedding) != 2 or embedding[0] != hidden:
        raise ValueError(f"its embedding has the shape {embedding} for {hidden} numbers a token")
    if _size(numbers, "vocab_size", embedding[1]) > embedding[1]:
        raise ValueError(f"its embedding has {embedding[1]} tokens")
    widest = max(hidden, *_widths(numbers))
    weights = sum(math.prod(shape) for shape in shapes.values())
    if layers * hidden * widest > weights:
        raise ValueError(f"{layers} layers of {hidden} x {widest} need more than its {weights} weights")


def _widths(numbers: Mapping[str, _Value]) -> tuple[int, int]:
    """The widths of a layer's matrices; at least two matrices have each of them."""
    dense = _size(numbers, "feed_forward_length", 0)
    experts = max(1, _size(numbers, "expert_count", 0))
    heads, size = (_size(numbers, f"attention.{name}", 0) for name in ("head_count", "key_length"))
    return experts * _size(numbers, "expert_feed_forward_length", dense), heads * size


def _size(numbers: Mapping[str, _Value], name: str, default: int | None = None) -> int:
    number = numbers.get(name)
    number = default if number is None else number
    if type(number) is not int:
        raise ValueError(f"{name} is {number!r}")
    return number


class _Reader:
    """Reads one value after the other, never past the end."""

    def __init__(self, data: bytes | mmap.mmap, arrays: Collection[str]) -> None:
        self._data = data
        self._arrays = arrays
        self.at = 0

    def number(self, kind: str) -> int:
        number: int = struct.unpack_from(f"<{kind}", self._data, self.at)[0]
        self.at += struct.calcsize(f"<{kind}")
        return number

    def text(self) -> str:
        length = self.number("Q")
        return self._take(length).decode("utf-8", "replace")

    def entry(self) -> tuple[str, _Value]:
        name, kind = self.text(), self.number("I")
        return name, self._array(wanted=name in self._arrays) if kind == _ARRAY else self._value(kind)

    def tensor(self) -> tuple[str, TensorEntry]:
        """A tensor's name and its entry, whose start is counted from where all tensors begin."""
        from gguf.constants import GGML_QUANT_SIZES, GGMLQuantizationType  # noqa: PLC0415 - a quarter of a second

        name, dimensions = self.text(), self.number("I")
        if not 0 < dimensions <= _MOST_DIMENSIONS:
            raise ValueError(f"{name} has {dimensions} dimensions")
        shape = tuple(self.number("Q") for _ in range(dimensions))
        kind = GGMLQuantizationType(self.number("I"))
        block, size = GGML_QUANT_SIZES[kind]
        start = self.number("Q")
        if not all(0 < one < 2**40 for one in shape) or shape[0] % block:
            raise ValueError(f"{name} has the shape {shape}")
        return name, TensorEntry(shape, kind.name, start, math.prod(shape) // block * size)

    def _value(self, kind: int) -> _Value:
        return self.text() if kind == _STRING else self.number(_SCALARS[kind])

    def _array(self, *, wanted: bool) -> list[str] | list[int] | None:
        of, length = self.number("I"), self.number("Q")
        if of == _STRING:
            if length > len(self._data):
                raise ValueError("an array is longer than the file")
            return self._texts(length, wanted=wanted)
        kind = _SCALARS[of]
        numbers = self._take(length * struct.calcsize(f"<{kind}"))
        return list(struct.unpack(f"<{length}{kind}", numbers)) if wanted else None

    def _texts(self, length: int, *, wanted: bool) -> list[str] | None:
        """So many texts; a vocabulary has some 10^5, so this does without a call for each."""
        data, end, at, length_at = self._data, len(self._data), self.at, struct.Struct("<Q").unpack_from
        texts = []
        for _ in range(length):
            start = at + 8
            at = start + length_at(data, at)[0]
            if at > end:
                raise ValueError("it ends too soon")
            if wanted:
                texts.append(str(data[start:at], "utf-8", "replace"))
        self.at = at
        return texts if wanted else None

    def _take(self, length: int) -> bytes:
        if length > len(self._data) - self.at:
            raise ValueError("it ends too soon")
        self.at += length
        return bytes(self._data[self.at - length : self.at])
