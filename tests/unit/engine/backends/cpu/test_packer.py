"""Packing by the kernels: to the last bit what numpy packs, for each number format that a file may have."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from gguf import GGMLQuantizationType, dequantize

from copilot_server.engine.backends.cpu import library as c
from copilot_server.engine.backends.cpu.packer import Packer, Placed
from copilot_server.engine.backends.cpu.tensors import as_float32
from copilot_server.errors import EngineError
from tests.support.gguf_blocks import Array, random_blocks
from tests.support.packed_reference import PACK_BLOCKS, round_to_int8

BLOCKS = sorted(kind.upper() for kind in PACK_BLOCKS)
PLAIN = ("F32", "F16", "BF16")
#: Where half of the scales of a format lie in its blocks: each may be damaged.
SCALES = {"Q4_0": 0, "Q5_0": 0, "Q8_0": 0, "Q4_K": 2, "Q5_K": 0, "Q6_K": 208}
SIZES = {"Q4_0": 18, "Q5_0": 22, "Q8_0": 34, "Q4_K": 144, "Q5_K": 176, "Q6_K": 210}


@pytest.fixture
def packer(build: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Packer]:
    """The packer of the kernels as each compiler builds them."""
    opened = c.open_library(build)
    monkeypatch.setattr(c, "load_library", lambda: opened)
    with Packer() as made:
        yield made


def random_rows(kind: str, outputs: int, inputs: int) -> Array:
    """Rows as a file has them: numbers, of which some are tiny or zero, or blocks."""
    if kind not in PLAIN:
        return random_blocks(kind, outputs, inputs)
    draw = np.random.default_rng(outputs)
    numbers = draw.standard_normal((outputs, inputs)).astype(np.float32)
    numbers[::3] *= draw.choice(np.float32([1e-40, 1e-30, 1e-5, 0]), (len(numbers[::3]), 1))
    return (
        (numbers.view(np.uint32) >> 16).astype(np.uint16)
        if kind == "BF16"
        else numbers.astype(f"<{kind.lower().replace('f32', 'f4').replace('f16', 'f2')}")
    )


def as_numbers(kind: str, rows: Array) -> Array:
    """The numbers in float32, by the gguf package where a file has blocks."""
    if kind in PLAIN:
        return as_float32((kind, rows))
    with np.errstate(all="ignore"):
        return dequantize(rows, GGMLQuantizationType[kind])


def assert_equal(given: tuple[Array, Array], expected: tuple[Array, Array]) -> None:
    for one, other in zip(given, expected, strict=True):
        assert one.dtype == other.dtype
        assert np.array_equal(one, other)


@pytest.mark.parametrize("kind", [*PLAIN, *BLOCKS])
@pytest.mark.parametrize("inputs", [256, 1280])
def test_rows_are_rounded_as_numpy_rounds_them(kind: str, inputs: int, packer: Packer):
    rows = random_rows(kind, 96, inputs)
    expected = round_to_int8(as_numbers(kind, rows))
    assert_equal(packer.rounded([Placed(kind, rows)], 96, inputs), expected)
    # The twin: another number in one place is seen.
    rows[41] = rows[43]
    assert not np.array_equal(packer.rounded([Placed(kind, rows)], 96, inputs)[0], expected[0])


@pytest.mark.parametrize("kind", ["Q2_K", "IQ4_NL"])
def test_formats_that_the_kernels_do_not_read_are_rounded_too(kind: str, packer: Packer):
    draw = np.random.default_rng(0)
    rows = draw.integers(0, 60, (32, {"Q2_K": 84, "IQ4_NL": 144}[kind]), np.uint8)
    assert kind not in c.SOURCE_TYPES
    assert_equal(packer.rounded([Placed(kind, rows)], 32, 256), round_to_int8(as_numbers(kind, rows)))


@pytest.mark.parametrize("kind", BLOCKS)
def test_a_files_blocks_are_arranged_as_numpy_arranges_them(kind: str, packer: Packer):
    rows = random_rows(kind, 96, 1280)
    given = packer.arranged([Placed(kind, rows)], 96, 1280, kind.lower())  # type: ignore[arg-type]
    assert np.array_equal(given, PACK_BLOCKS[kind.lower()](rows))
    gate, up = rows[:40], rows[40:80]
    whole = [np.pad(one, ((0, 8), (0, 0))).reshape(3, 16, -1) for one in (gate, up)]
    placed = [Placed(kind, gate, 0, 2), Placed(kind, up, 16, 2)]
    given = packer.arranged(placed, 96, 1280, kind.lower())  # type: ignore[arg-type]
    expected = np.stack(whole, axis=1).reshape(96, -1)
    assert np.array_equal(given, PACK_BLOCKS[kind.lower()](expected))


@pytest.mark.parametrize("inputs", [32, 96, 992])
def test_inputs_that_fill_no_whole_group_are_followed_by_zeros(inputs: int, packer: Packer):
    for kind in ("F32", "F16", "BF16", "Q4_0", "Q5_0", "Q8_0"):
        rows = random_rows(kind, 32, inputs)
        numbers = np.pad(as_numbers(kind, rows), ((0, 0), (0, -inputs % 64)))
        assert_equal(packer.rounded([Placed(kind, rows)], 32, inputs), round_to_int8(numbers))


def test_tensors_of_any_number_of_rows_lie_one_after_the_other(packer: Packer):
    """A matrix of queries, keys and values, of which each has its own number format; the rest are zeros."""
    expected, placed, at = np.zeros((96, 256), np.float32), [], 0
    for kind, outputs in (("Q4_K", 37), ("F16", 3), ("Q6_K", 1), ("Q8_0", 22)):
        rows = random_rows(kind, outputs, 256)
        placed.append(Placed(kind, rows, at))
        expected[placed[-1].outputs] = as_numbers(kind, rows)
        at += outputs
    assert_equal(packer.rounded(placed, 96, 256), round_to_int8(expected))


def test_blocks_of_two_tensors_alternate(packer: Packer):
    gate, up = random_rows("Q5_0", 40, 64), random_rows("Q8_0", 40, 64)
    expected = np.zeros((2, 3, 16, 64), np.float32)
    for i, (kind, rows) in enumerate((("Q5_0", gate), ("Q8_0", up))):
        expected[i].reshape(48, 64)[:40] = as_numbers(kind, rows)
    placed = [Placed("Q5_0", gate, 0, 2), Placed("Q8_0", up, 16, 2)]
    assert placed[1].outputs.tolist() == [*range(16, 32), *range(48, 64), *range(80, 88)]
    assert_equal(
        packer.rounded(placed, 96, 64), round_to_int8(expected.transpose(1, 0, 2, 3).reshape(96, 64))
    )


@pytest.mark.parametrize("kind", [*PLAIN, *BLOCKS])
@pytest.mark.parametrize(
    ("special", "scale"), [(0x7C00, 0x7F80), (0xFC00, 0x7F80), (0x7E00, 0x7FC0), (0x7FFF, 0x7FC0)]
)
def test_what_is_not_finite_is_said_by_the_scale(kind: str, special: int, scale: int, packer: Packer):
    """Such a scale makes every product NaN or infinite; that of a NaN with other bits had become -0."""
    rows = random_rows(kind, 32, 256)
    half = np.array([special], np.uint16)
    if kind in PLAIN:
        number = half.view(np.float16).astype(np.float32)
        rows[5, 100] = {"F32": number, "F16": half.view(np.float16), "BF16": number.view(np.uint32) >> 16}[
            kind
        ][0]
    else:
        at = SIZES[kind] * (100 // 32 if SIZES[kind] < 100 else 0) + SCALES[kind]
        rows[5, at : at + 2] = half.view(np.uint8)
    data, scales = packer.rounded([Placed(kind, rows)], 32, 256)
    found = scales[0, 1, 5]
    assert found in {scale, 0x7FC0}  # infinity times a code of zero is no number
    assert (data[0, 16:32, 5] == 0x80).all()
    assert np.isfinite((np.delete(scales[0], 5, axis=1).astype(np.uint32) << 16).view(np.float32)).all()


def description(rows: Array, data: Array, scales: Array | None, **changes: object) -> c.Rows:
    arrays = {"rows": rows, "data": data, "scales": scales}
    numbers = {"count": 48, "inputs": 256, "source": 3, "target": 2, "first": 0, "stride": 1, **changes}
    pointers = {name: None if one is None else one.ctypes.data for name, one in arrays.items()}
    lengths = tuple(0 if one is None else one.nbytes for one in arrays.values())
    return c.Rows(**{**pointers, "bytes": lengths, **numbers})


@pytest.mark.parametrize(
    ("largest", "too_large"),
    [
        ({"count": 48}, {"count": 49}),
        ({"count": 0}, {"count": -1}),
        ({"inputs": 256}, {"inputs": 257}),
        ({"inputs": 256}, {"inputs": 512}),
        ({"inputs": 256}, {"inputs": 0}),
        ({"inputs": 256}, {"inputs": -256}),
        ({"source": 3}, {"source": 0}),
        ({"source": 3}, {"source": 2}),
        ({"source": 3}, {"source": 8}),
        ({"source": 3}, {"source": 10}),
        ({"source": 3}, {"source": -1}),
        ({"target": 2}, {"target": 5}),
        ({"target": 2}, {"target": 0}),
        ({"first": 0, "count": 47}, {"first": 2, "count": 47}),
        ({"first": 15, "count": 33}, {"first": 16, "count": 32}),
        ({"first": 0}, {"first": -1}),
        ({"stride": 2, "count": 32}, {"stride": 2, "count": 33}),
        ({"stride": 1}, {"stride": 0}),
        ({"stride": 1}, {"stride": 3}),
    ],
)
def test_rows_that_do_not_fit_are_not_packed(
    largest: dict[str, int], too_large: dict[str, int], packer: Packer
):
    rows, data, scales = (
        random_blocks("Q4_K", 48, 256),
        np.zeros(48 * 256, np.uint8),
        np.zeros(48 * 4, np.uint16),
    )
    call, workers = packer._library.decoder_pack, packer._workers
    assert call(ctypes.byref(description(rows, data, scales, **largest)), workers) == 0
    with pytest.raises(EngineError, match=r"a size|an array"):
        call(ctypes.byref(description(rows, data, scales, **too_large)), workers)
    assert call(ctypes.byref(description(rows, data, scales)), workers) == 0
    for one in ("rows", "data", "scales"):
        short = {"rows": rows, "data": data, "scales": scales}
        short[one] = short[one].reshape(-1)[:-1]
        with pytest.raises(EngineError, match="an array"):
            call(ctypes.byref(description(**short)), workers)
    with pytest.raises(EngineError, match="threads"):
        call(ctypes.byref(description(rows, data, scales)), None)


def test_blocks_that_stay_as_they_are_fill_whole_blocks(packer: Packer):
    rows, data = random_blocks("Q4_K", 48, 256), np.zeros(3 * 2368, np.uint8)
    given = description(rows, data, None, target=3)
    assert packer._library.decoder_pack(ctypes.byref(given), packer._workers) == 0
    for changes in ({"count": 47}, {"first": 1, "count": 32}):
        given = description(rows, data, None, target=3, **changes)
        with pytest.raises(EngineError, match="a size"):
            packer._library.decoder_pack(ctypes.byref(given), packer._workers)
