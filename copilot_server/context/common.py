"""What two texts have in common at their ends, found fast, for what runs at every key.

Slices are compared at C's speed, longer ones as long as they are equal: a loop over code points would be a
hundred times slower.
"""

from __future__ import annotations

_FIRST_STEP = 256


def common_prefix(one: str, other: str) -> int:
    """Count the code points with which both begin."""
    low, high, step = 0, min(len(one), len(other)), _FIRST_STEP
    while low < high:
        middle = min(low + step, high)
        if one[low:middle] == other[low:middle]:
            low, step = middle, step * 2
        else:
            high, step = middle - 1, max(1, min(step, middle - low) // 2)
    return low


def common_suffix(one: str, other: str, most: int | None = None) -> int:
    """Count the code points with which both end, ``most`` at the most."""
    shorter = min(len(one), len(other))
    low, high, step = 0, shorter if most is None else min(most, shorter), _FIRST_STEP
    while low < high:
        middle = min(low + step, high)
        if one[len(one) - middle : len(one) - low] == other[len(other) - middle : len(other) - low]:
            low, step = middle, step * 2
        else:
            high, step = middle - 1, max(1, min(step, middle - low) // 2)
    return low
