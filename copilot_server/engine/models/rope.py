"""Rotary position embedding: the table of angles that all our decoders read."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from copilot_server.engine.models.architecture import Architecture


def rope_table(architecture: Architecture, positions: int) -> NDArray[np.float32]:
    """Cosines, then sines, of the angles of each position: (positions, head_dim), float32.

    Source: Su et al. 2021, "RoFormer", arXiv:2104.09864, section 3.4.2; linear scaling as in Chen et al.
    2023, "Extending Context Window of Large Language Models via Positional Interpolation", arXiv:2306.15595.
    The angles are rounded to float32 as in transformers.
    """
    exponents = np.arange(0, architecture.head_dim, 2, dtype=np.float32) / np.float32(architecture.head_dim)
    frequencies = (1.0 / architecture.rope_theta**exponents).astype(np.float32)
    frequencies /= np.float32(architecture.rope_factor)
    angles = np.arange(positions, dtype=np.float32)[:, None] * frequencies
    return np.concatenate([np.cos(angles), np.sin(angles)], axis=1)
