"""How many tokens of a document a prompt has, where the setting is ``auto``."""

from __future__ import annotations

from typing import Literal

from copilot_server.engine.base import Engine, ReadingEngine

#: How long a prompt of which nothing has been read before may take to read, in seconds.
COLD_S = 1.0
#: The fewest tokens, and the most, which is the default. With 256 the 0.5B is right two thirds as often as
#: with 1024, with 512 five sixths (benchmarks/LOG.md), so that a slow machine reads for longer than COLD_S.
FEWEST, MOST = 512, 1024
#: Budgets are whole multiples of this, so that a speed which is measured a little differently seldom changes
#: the budget, and with it where windows begin.
STEP = 128


def prompt_budget(wanted: int | Literal["auto"], engine: Engine) -> int:
    """Return how many tokens of a document the engine is to read: as many as ``wanted``, unless it is auto.

    The reading speed decides then; where it is not known, as that of a remote engine, it is ``MOST``.
    """
    if wanted != "auto":
        return wanted
    return budget_at(engine.reading_speed_tok_s()) if isinstance(engine, ReadingEngine) else MOST


def budget_at(speed_tok_s: float) -> int:
    """Return the budget for a model that reads so many tokens per second."""
    return min(MOST, max(FEWEST, int(speed_tok_s * COLD_S) // STEP * STEP))
