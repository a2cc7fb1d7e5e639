"""Reproducible random choices."""

from __future__ import annotations

import random


def seeded(*names: object) -> random.Random:
    """Return a random generator that depends only on ``names``, such as a seed and the name of a task.

    Each task has a generator of its own, so its choices do not depend on which other tasks there are.
    """
    return random.Random("/".join(map(str, names)))  # noqa: S311 - choices, not secrets
