"""Reading and writing safetensors files, whose headers may be anything."""

from __future__ import annotations

import hashlib
import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from copilot_server.engine.backends.cpu.tensors import as_float32, map_tensors, metadata, write_tensors

#: A device of Linux.
FULL = Path("/dev/full")


def write_header(path: Path, header: bytes, data: bytes = b"", *, length: int | None = None) -> Path:
    path.write_bytes(struct.pack("<Q", len(header) if length is None else length) + header + data)
    return path


def entry(**changes: object) -> dict[str, object]:
    return {"dtype": "F32", "shape": [2, 2], "data_offsets": [0, 16], **changes}


def test_what_safetensors_writes_is_read(tmp_path: Path):
    arrays = {"a": np.arange(6, dtype=np.float32).reshape(2, 3), "b": np.ones(3, np.float16)}
    save_file(arrays, tmp_path / "x.safetensors", {"made": "here"})
    given = map_tensors(tmp_path / "x.safetensors")
    assert {name: dtype for name, (dtype, _) in given.items()} == {"a": "F32", "b": "F16"}
    assert all(np.array_equal(array, arrays[name]) for name, (_, array) in given.items())
    assert metadata(tmp_path / "x.safetensors") == {"made": "here"}


def test_what_is_written_safetensors_reads(tmp_path: Path):
    array = np.arange(32, dtype=np.float32).reshape(2, 16)
    path = tmp_path / "x.safetensors"
    layout = {"a": (np.float32, (2, 16))}
    digest = write_tensors(path, layout, [("a", [array[:1], array[1:]])], {"made": "here"})
    assert digest == hashlib.sha256(path.read_bytes()).hexdigest()
    assert np.array_equal(load_file(path)["a"], array)
    assert metadata(path) == {"made": "here"}


@pytest.mark.skipif(not FULL.exists(), reason="this system has no disk that is always full")
def test_a_disk_that_is_full_is_an_error_of_whoever_writes():
    layout = {"a": (np.float32, (2, 16))}
    with pytest.raises(OSError, match="space"):
        write_tensors(FULL, layout, [("a", [np.zeros((2, 16), np.float32)])], {})


@pytest.mark.parametrize(
    "pieces", [[("a", [np.zeros(8, np.float32)])], [("b", [np.zeros(16, np.float32)])], []]
)
def test_pieces_that_are_not_the_layout_are_refused(pieces: list[Any], tmp_path: Path):
    with pytest.raises(ValueError):  # noqa: PT011 - zip's own message in one case
        write_tensors(tmp_path / "x", {"a": (np.float32, (16,))}, pieces, {})


def test_bfloat16_becomes_float32():
    assert as_float32(("BF16", np.array([0x3F80, 0xC000], np.uint16))).tolist() == [1.0, -2.0]


@pytest.mark.parametrize(
    "changes",
    [
        {"shape": [2, 3]},
        {"shape": [-1, 2]},
        {"shape": [-2, -2]},
        {"shape": [2.0, 2]},
        {"shape": [True, 4]},
        {"shape": "22"},
        {"shape": None},
        {"shape": [2**70, 0], "data_offsets": [0, 0]},
        {"shape": [1] * 70 + [4]},
        {"data_offsets": [0, 20]},
        {"data_offsets": [8, 24]},
        {"data_offsets": [16, 0]},
        {"data_offsets": [-16, 0]},
        {"data_offsets": [0]},
        {"data_offsets": [0, 8, 16]},
        {"data_offsets": {"0": 16}},
        {"dtype": "F64"},
        {"dtype": "F16"},
        {"dtype": ["F32"]},
        {"dtype": None},
    ],
)
def test_a_tensor_that_is_not_what_the_header_says_is_refused(changes: dict[str, Any], tmp_path: Path):
    good = json.dumps({"a": entry()}).encode()
    assert map_tensors(write_header(tmp_path / "good", good, bytes(16)))["a"][1].shape == (2, 2)
    bad = json.dumps({"a": entry(**changes)}).encode()
    with pytest.raises(ValueError):  # noqa: PT011 - one of several messages
        map_tensors(write_header(tmp_path / "bad", bad, bytes(16)))


def test_tensors_that_overlap_are_refused(tmp_path: Path):
    header = json.dumps({"a": entry(), "b": entry(data_offsets=[8, 24])}).encode()
    with pytest.raises(ValueError, match="overlap"):
        map_tensors(write_header(tmp_path / "x", header, bytes(24)))


@pytest.mark.parametrize(
    ("header", "length"),
    [
        (b"", 0),
        (b"{}", 1),
        (b"{}", 3),
        (b"{}", 2**63),
        (b"[]", None),
        (b'"text"', None),
        (b"{", None),
        (b"\xff\xfe", None),
        (b"[" * 100_000, None),
        (b'{"a": []}', None),
        (b'{"a": 1}', None),
        (b'{"__metadata__": 3, "a": 1}', None),
    ],
)
def test_a_file_that_has_no_such_header_is_refused(header: bytes, length: int | None, tmp_path: Path):
    path = write_header(tmp_path / "x", header, length=length)
    with pytest.raises(ValueError):  # noqa: PT011 - one of several messages
        map_tensors(path)


@pytest.mark.parametrize("content", [b"", b"1234567", bytes(8), struct.pack("<Q", 9) + b"{}"])
def test_a_file_that_is_too_short_is_refused(content: bytes, tmp_path: Path):
    (tmp_path / "x").write_bytes(content)
    for read in (map_tensors, metadata):
        with pytest.raises(ValueError):  # noqa: PT011 - one of several messages
            read(tmp_path / "x")
