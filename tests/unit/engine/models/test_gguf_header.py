"""The header of a GGUF file that anybody may have made: it is read, or refused with a remedy."""

from __future__ import annotations

import random
import struct
import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import pytest

from copilot_server.engine.models.gguf_header import check_header, read_header
from copilot_server.errors import ModelError
from tests.support.fuzzing import numbers
from tests.support.tiny_gguf import FEED_FORWARD, HIDDEN, LAYERS, build_tiny_gguf

#: Values that a reader may not expect.
HOSTILE = (0, 1, 2, 7, 8, 9, 12, 13, 255, 2**16, 2**20, 2**31 - 1, 2**32 - 1)


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return build_tiny_gguf(tmp_path_factory.mktemp("gguf") / "tiny.gguf").read_bytes()


def table_end(data: bytes) -> int:
    """Return where the table of tensors ends, about: at the name of the last tensor."""
    return data.rindex(b"ffn_down.weight") + 60


def changed(good: bytes, number: int) -> bytes:
    """Return the changed file with this number: numbers, bytes or the end of the header are other ones."""
    chosen = random.Random(number)
    data, end = bytearray(good), table_end(good)
    kind = chosen.randrange(4)
    if kind == 0:
        return bytes(data[: chosen.randrange(len(data))])
    for _ in range(chosen.randrange(1, 4)):
        at = chosen.randrange(24 if kind == 1 else end)
        if kind == 2:
            data[at] = chosen.randrange(256)
        else:
            struct.pack_into("<I", data, at, chosen.choice(HOSTILE))
    return bytes(data)


def with_number(data: bytes, name: str, value: int) -> bytes:
    """Return the file with another 32-bit number in its metadata."""
    at = data.index(name.encode()) + len(name) + 4
    return data[:at] + struct.pack("<I", value) + data[at + 4 :]


def check(data: bytes, folder: Path) -> str:
    path = folder / "changed.gguf"
    path.write_bytes(data)
    try:
        check_header(path)
    except ModelError as error:
        return "refused" if error.remedy else "an error without a remedy"
    return "read"


def test_the_header_is_read(good: bytes, tmp_path: Path):
    header = read_header(good)
    assert header.values["qwen2.block_count"] == LAYERS
    assert header.values["qwen2.embedding_length"] == HIDDEN
    assert header.tensors["blk.0.ffn_down.weight"].shape == (FEED_FORWARD, HIDDEN)
    assert len(good) * 0.5 < sum(one.size_bytes for one in header.tensors.values()) < len(good)
    assert check(good, tmp_path) == "read"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("qwen2.block_count", 2),
        ("qwen2.block_count", 10**6),
        ("qwen2.embedding_length", HIDDEN * 2),
        ("qwen2.embedding_length", 2**31),
        ("qwen2.feed_forward_length", 10**6),
        ("qwen2.attention.head_count", 2**32 - 1),
        ("qwen2.context_length", 2**31),
    ],
)
def test_numbers_that_the_tensors_do_not_bear_out_are_refused(
    name: str, value: int, good: bytes, tmp_path: Path
):
    """Transformers would make as many layers, of such a width, before it looks at the tensors."""
    true = read_header(good).values[name]
    assert isinstance(true, int)
    assert with_number(good, name, true) == good
    assert check(with_number(good, name, value), tmp_path) == "refused"


def outcomes(good: bytes, folder: Path, tried: Iterable[int]) -> Counter[str]:
    counted: Counter[str] = Counter()
    for number in tried:
        try:
            counted[check(changed(good, number), folder)] += 1
        except Exception as error:
            raise AssertionError(f"file {number}: {error!r}") from error
    assert counted.keys() <= {"read", "refused"}
    return counted


def test_changed_headers_are_read_or_refused(good: bytes, tmp_path: Path):
    counted = outcomes(good, tmp_path, range(400))
    # Both must happen: else the changes are too small, or too large, to show anything.
    assert counted["refused"] > 100
    assert counted["read"] > 20


@pytest.mark.long
def test_changed_headers_for_as_long_as_fuzzers_run(good: bytes, tmp_path: Path):
    counted = outcomes(good, tmp_path, numbers(10_000))
    sys.stdout.write(f"GGUF headers: {counted.total()} files, {dict(counted)}\n")
    assert counted["refused"] > counted["read"] > 0
