"""The common prefix and suffix of two texts, found fast enough to be called at every key.

Slices are compared at the speed of C, and they grow as long as they are equal: a loop over code points would
be a hundred times slower.
"""

from __future__ import annotations

_FIRST_STEP = 256


def common_prefix(one: str, other: str) -> int:
    """Return the length of the longest common prefix, in code points."""
    low, high, step = 0, min(len(one), len(other)), _FIRST_STEP
    while low < high:
        middle = min(low + step, high)
        if one[low:middle] == other[low:middle]:
            low, step = middle, step * 2
        else:
            high, step = middle - 1, max(1, min(step, middle - low) // 2)
    return low


def common_suffix(one: str, other: str, most: int | None = None) -> int:
    """Return the length of the longest common suffix, in code points, but at most ``most``."""
    shorter = min(len(one), len(other))
    low, high, step = 0, shorter if most is None else min(most, shorter), _FIRST_STEP
    while low < high:
        middle = min(low + step, high)
        if one[len(one) - middle : len(one) - low] == other[len(other) - middle : len(other) - low]:
            low, step = middle, step * 2
        else:
            high, step = middle - 1, max(1, min(step, middle - low) // 2)
    return low
