"""Every instruction set with every number format: the product of a matrix, compared between them.

An instruction set that this processor lacks is emulated (``conftest.py``). Attention, elementwise functions
and whole steps have tests of their own, which run on the same instruction sets.
"""

from __future__ import annotations

import os

import numpy as np
import pytest
from gguf import GGMLQuantizationType, dequantize

from copilot_server.engine.backends.cpu.library import WEIGHT_TYPES
from tests.support.gguf_blocks import Array, random_blocks
from tests.support.kernels import (
    LIBRARY_VARIABLE,
    X86_INSTRUCTION_SETS,
    Probes,
    available_compilers,
    available_instruction_sets,
    build_kernels,
    builds,
)
from tests.support.packed_reference import PACK_BLOCKS
from tests.unit.engine.backends.cpu.test_gguf_blocks import pack_int8, rounded

OUTPUTS, INPUTS = 64, 1280
#: Rows: each size of a tile, tiles of several sizes, and more than are taken at a time.
ROWS = (1, 2, 3, 4, 5, 6, 7, 13, 16, 41, 97, 200)


@pytest.fixture(scope="session")
def reference() -> Probes:
    """The fastest instruction set of this processor, to compare all with."""
    return Probes(build_kernels(available_compilers()[0]), available_instruction_sets()[0])


def random_matrix(kind: str) -> tuple[Array, Array | None, Array]:
    """A packed matrix, the scales that are not in it, and its weights in float64."""
    draw = np.random.default_rng(7)
    if kind in PACK_BLOCKS:
        blocks = random_blocks(kind.upper(), OUTPUTS, INPUTS)
        weights = dequantize(blocks, GGMLQuantizationType[kind.upper()])
        return PACK_BLOCKS[kind](blocks), None, weights.astype(np.float64)
    if kind == "int8":
        whole = draw.integers(-127, 128, (OUTPUTS, INPUTS), np.int8)
        bits = draw.integers(0x3C00, 0x3D00, (OUTPUTS, INPUTS // 64), np.uint16)
        scales = (bits.astype(np.uint32) << 16).view(np.float32)
        return *pack_int8(whole, bits), whole * np.repeat(scales.astype(np.float64), 64, axis=1)
    numbers = draw.standard_normal((OUTPUTS, INPUTS)).astype(np.float32)
    upper = (numbers.view(np.uint32) >> 16).astype(np.uint16)
    if kind == "bfloat16":
        numbers = (upper.astype(np.uint32) << 16).view(np.float32)
    stored = upper if kind == "bfloat16" else numbers
    packed = np.ascontiguousarray(stored.reshape(-1, 16, INPUTS).transpose(0, 2, 1))
    return packed, None, numbers.astype(np.float64)


@pytest.mark.parametrize("kind", WEIGHT_TYPES)
def test_every_instruction_set_gives_the_same_product(kind: str, probes: Probes, reference: Probes):
    """To the last bit, in any number of rows; portable code, which rounds products before sums, nearly."""
    packed, scales, weights = random_matrix(kind)
    x = np.random.default_rng(1).standard_normal((max(ROWS), INPUTS)).astype(np.float32)
    expected = reference.product(packed, kind, INPUTS, x, scales)
    products = [probes.product(packed, kind, INPUTS, x[:rows], scales) for rows in ROWS]
    seen = x.astype(np.float64) if kind in ("float32", "bfloat16") else rounded(x, probes)
    most = np.abs(seen) @ np.abs(weights).T
    assert np.abs(products[-1] - seen @ weights.T).max() < 1e-6 * most.max()
    for given in products:
        same = products[-1] if probes.instruction_set == "portable" else expected
        assert (given == same[: len(given)]).all()
    changed = packed.copy()
    changed[0, -1] += 1
    assert (probes.product(changed, kind, INPUTS, x[:7], scales) != expected[:7]).any()


@pytest.mark.skipif(
    "avx2" not in available_instruction_sets(), reason="needs AVX2, with which others are emulated"
)
@pytest.mark.skipif(LIBRARY_VARIABLE in os.environ, reason="a library was given, and nothing is emulated")
def test_no_instruction_set_of_x86_is_left_out():
    assert {isa for _, isa in builds()} == {*X86_INSTRUCTION_SETS, "portable"}
