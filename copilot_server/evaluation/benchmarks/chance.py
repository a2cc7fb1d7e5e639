"""Random choices that can be had again."""

from __future__ import annotations

import random


def seeded(*names: object) -> random.Random:
    """Return a source of choices that hangs on ``names`` alone, such as a seed and a task's name.

    Each task draws from one of its own, so its choices stay the same whichever other tasks there are.
    """
    return random.Random("/".join(map(str, names)))  # noqa: S311 - choices, not secrets
