"""The measurement of a processor: it gives speeds, from layers as large as a model's."""

from __future__ import annotations

import math

import pytest

from copilot_server.engine.backends.cpu.layout import Dtype, matches_layout, matrices
from copilot_server.engine.backends.cpu.speed import SHAPE, SIX_BITS, measure_speed, synthetic_weights
from copilot_server.engine.backends.cpu.tensors import ALIGNMENT

DTYPES: list[Dtype] = ["gguf", "int8"]


@pytest.mark.slow
@pytest.mark.parametrize("dtype", DTYPES)
def test_both_speeds_are_numbers_above_zero(dtype: Dtype):
    assert all(math.isfinite(one) and one > 0 for one in measure_speed(dtype, threads=1))


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_weights_are_laid_out_as_the_kernels_read_them(dtype: Dtype):
    weights = synthetic_weights(dtype)
    arrays = {name: ("", array) for name, array in weights.tensors.items()}
    assert matches_layout(arrays, SHAPE, weights.formats)
    assert all(array.ctypes.data % ALIGNMENT == 0 for array in weights.tensors.values())
    assert sum(array.nbytes for array in weights.tensors.values()) > 100e6  # more than caches hold


def test_a_seventh_of_the_weights_has_six_bits_as_in_a_file_called_q4_k_m():
    sizes = {name: math.prod(shape) for name, shape in matrices(SHAPE).items() if name != "embedding"}
    six = sum(sizes[f"layers.{layer}.down"] for layer in SIX_BITS)
    assert six / sum(sizes.values()) == pytest.approx(1 / 7, abs=0.02)
