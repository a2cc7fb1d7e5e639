"""Random blocks of GGUF's number formats, of which the gguf package can quantize to few."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from gguf import GGMLQuantizationType
from gguf.constants import GGML_QUANT_SIZES

Array: TypeAlias = npt.NDArray[Any]

#: Where the scales in half precision lie in a block, and the largest that gives weights of about 0.1.
_SCALES = {
    "Q4_0": ((0, 2e-2),),
    "Q5_0": ((0, 1e-2),),
    "Q8_0": ((0, 1e-3),),
    "Q4_K": ((0, 4e-4), (2, 3e-3)),
    "Q5_K": ((0, 2e-4), (2, 3e-3)),
    "Q6_K": ((208, 8e-5),),
}


def random_blocks(kind: str, outputs: int, inputs: int, seed: int = 0) -> Array:
    """Rows of blocks as bytes, (outputs, bytes of a row); every code and every whole number may occur."""
    draw = np.random.default_rng(seed)
    block, size = GGML_QUANT_SIZES[GGMLQuantizationType[kind]]
    rows = draw.integers(0, 256, (outputs, inputs // block, size), np.uint8)
    for at, largest in _SCALES[kind]:
        scales = draw.uniform(-largest, largest, (outputs, inputs // block, 1)).astype(np.float16)
        rows[:, :, at : at + 2] = scales.view(np.uint8)
    return rows.reshape(outputs, -1)
