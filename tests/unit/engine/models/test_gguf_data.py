"""The weights of a tensor in a GGUF file: where they lie, and the numbers that they are."""

from __future__ import annotations

import mmap
from pathlib import Path

import numpy as np
import pytest
from gguf import GGMLQuantizationType, quantize

from copilot_server.engine.models.gguf_data import are_one_matrix, dequantized, rows_of
from copilot_server.engine.models.gguf_header import TensorEntry
from tests.support.gguf_blocks import random_blocks


@pytest.fixture
def data(tmp_path: Path) -> mmap.mmap:
    path = tmp_path / "data"
    path.write_bytes(bytes(range(96)))
    with path.open("rb") as file:
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)


def test_rows_lie_where_the_entry_says(data: mmap.mmap):
    rows = rows_of("one", TensorEntry((4, 2), "F32", 64, 32), data)
    assert rows.tolist() == [list(range(64, 80)), list(range(80, 96))]
    assert rows_of("one", TensorEntry((8,), "F32", 64, 32), data).tolist() == list(range(64, 96))
    with pytest.raises(ValueError, match="one does not lie within the file"):
        rows_of("one", TensorEntry((4, 2), "F32", 65, 32), data)


def test_scales_that_are_not_finite_stay_so():
    rows = random_blocks("Q4_K", 2, 256)
    assert np.isfinite(dequantized(rows, "Q4_K")).all()
    rows[0, :2] = np.array([np.nan], np.float16).view(np.uint8)
    numbers = dequantized(rows, "Q4_K")
    assert np.isnan(numbers[0]).any()
    assert np.isfinite(numbers[1]).all()


def test_a_matrix_that_was_quantized_twice_is_one():
    draw = np.random.default_rng(0)
    matrix, other = (draw.standard_normal((9, 64)).astype(np.float32) for _ in range(2))
    twice = [dequantized(quantize(matrix, GGMLQuantizationType[kind]), kind) for kind in ("Q8_0", "Q5_0")]
    assert are_one_matrix(*twice)
    assert not are_one_matrix(twice[0], other)
