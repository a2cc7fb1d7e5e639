"""Products with the blocks of a GGUF file: exact but for the activations, which are rounded to eight bits."""

from __future__ import annotations

import numpy as np
import pytest
from gguf import GGMLQuantizationType, dequantize

from copilot_server.engine.backends.cpu.layout import PIECES
from tests.support.gguf_blocks import Array, random_blocks
from tests.support.kernels import Probes
from tests.support.packed_reference import PACK_BLOCKS

KINDS = sorted(PACK_BLOCKS)
#: The size of a block of the file in bytes, and where its codes are.
CODES = {
    "q4_0": (18, slice(2, 18)),
    "q5_0": (22, slice(2, 22)),
    "q8_0": (34, slice(2, 34)),
    "q4_k": (144, slice(16, 144)),
    "q5_k": (176, slice(16, 176)),
    "q6_k": (210, slice(0, 192)),
}
#: Inputs: fewer and more than the kernels unpack at a time, and a number that leaves a rest.
INPUTS = (256, 1024, 1280)


def rounded(x: Array, probes: Probes) -> Array:
    """The activations as the kernels round them."""
    groups = [probes.quantize(group) for group in np.ascontiguousarray(x).reshape(-1, 64)]
    return np.concatenate([values.astype(np.float64) * scale for values, scale, _ in groups]).reshape(x.shape)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("inputs", INPUTS)
def test_a_product_is_that_of_the_weights_of_the_file(kind: str, inputs: int, probes: Probes):
    blocks = random_blocks(kind.upper(), 64, inputs)
    weights = dequantize(blocks, GGMLQuantizationType[kind.upper()]).astype(np.float64)
    packed = PACK_BLOCKS[kind](blocks)
    assert packed.shape == (4, inputs // PIECES[kind][0] * PIECES[kind][1])
    for rows in (1, 2, 3, 5, 6, 7, 200):
        x = np.random.default_rng(rows).standard_normal((rows, inputs)).astype(np.float32)
        exact = rounded(x, probes) @ weights.T
        most = np.abs(rounded(x, probes)) @ np.abs(weights).T
        product = probes.product(packed, kind, inputs, x)
        assert np.abs(product - exact).max() < 1e-6 * most.max()
        # The twin: another code in one place is seen.
        changed = packed.copy()
        changed[0, -40] ^= 0x11
        assert np.abs(probes.product(changed, kind, inputs, x) - exact).max() > 1e-6 * most.max()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("activation", [1.0, -1.0])
def test_the_largest_sums_fit(kind: str, activation: float, probes: Probes):
    blocks = random_blocks(kind.upper(), 32, 512)
    size, codes = CODES[kind]
    x = np.full((5, 512), activation, np.float32)
    for code in (0x00, 0xFF, 0x80, 0x7F):  # the last are the largest signed bytes
        blocks.reshape(32, -1, size)[:, :, codes] = code
        weights = dequantize(blocks, GGMLQuantizationType[kind.upper()]).astype(np.float64)
        exact, most = activation * weights.sum(axis=1), np.abs(weights).sum(axis=1).max()
        product = probes.product(PACK_BLOCKS[kind](blocks), kind, 512, x)
        assert np.abs(product - exact).max() <= 1e-6 * most


@pytest.mark.parametrize("kind", KINDS)
def test_a_rows_product_does_not_depend_on_the_rows_beside_it(kind: str, probes: Probes):
    packed = PACK_BLOCKS[kind](random_blocks(kind.upper(), 32, 512))
    x = np.random.default_rng(3).standard_normal((199, 512)).astype(np.float32)
    together = probes.product(packed, kind, 512, x)
    for row in (0, 1, 5, 191, 192, 198):
        assert (probes.product(packed, kind, 512, x[row : row + 1]) == together[row]).all()
    assert (together[0] != together[1]).any()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("special", [np.nan, np.inf])
def test_numbers_that_are_not_finite_are_not_hidden(kind: str, special: float, probes: Probes):
    packed = PACK_BLOCKS[kind](random_blocks(kind.upper(), 32, 256))
    x = np.ones((3, 256), np.float32)
    x[1, 77] = special
    product = probes.product(packed, kind, 256, x)
    assert np.isnan(product[1]).all()
    assert np.isfinite(product[[0, 2]]).all()


@pytest.mark.parametrize("inputs", [64, 256, 960])
def test_a_product_with_int8_weights_is_exact(inputs: int, probes: Probes):
    """The same for weights that were rounded to int8, which any format that is not kept becomes."""
    draw = np.random.default_rng(inputs)
    whole = draw.integers(-127, 128, (64, inputs), np.int8)
    scales = np.abs(draw.standard_normal((64, inputs // 64))).astype(np.float32)
    bits = (scales.view(np.uint32) >> 16).astype(np.uint16)
    weights = whole.astype(np.float64) * np.repeat(
        (bits.astype(np.uint32) << 16).view(np.float32), 64, axis=1
    )
    data, packed_scales = pack_int8(whole, bits)
    for rows in (1, 2, 3, 4, 7, 97):
        x = draw.standard_normal((rows, inputs)).astype(np.float32)
        given = probes.product(data, "int8", inputs, x, packed_scales)
        most = np.abs(rounded(x, probes)) @ np.abs(weights).T
        assert np.abs(given - rounded(x, probes) @ weights.T).max() < 1e-6 * most.max()


def pack_int8(whole: Array, scales: Array) -> tuple[Array, Array]:
    """As decoder.h has them: (outputs / 16, inputs / 4, 16, 4) with 128 added; (outputs / 16, groups, 16)."""
    blocks = (whole.view(np.uint8) ^ 0x80).reshape(-1, 16, whole.shape[1] // 4, 4).transpose(0, 2, 1, 3)
    of_groups = scales.reshape(-1, 16, scales.shape[1]).transpose(0, 2, 1)
    return np.ascontiguousarray(blocks), np.ascontiguousarray(of_groups)
