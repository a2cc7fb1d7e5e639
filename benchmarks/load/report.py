"""The figures of a load test."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from benchmarks.load.engine_tokens import EngineTokens
from benchmarks.load.typing import Seen


def figures(
    seen: Sequence[Seen], stats: Sequence[dict[str, Any]], tokens: EngineTokens | None
) -> dict[str, Any]:
    """Return the figures of a load test as JSON values; times are in milliseconds, rates per second."""
    keys = [key for one in seen for key in one.keys]
    shown_ms = sorted(1e3 * key.latency_s for key in keys if key.latency_s is not None and key.shown)
    answered = sum(key.latency_s is not None for key in keys)
    typing_s = max((one.typing_s for one in seen), default=0.0)
    requests = sum(one["requests"] for one in stats)
    answers = {
        name: sum(one["answers"].get(name, 0) for one in stats)
        for name in ("model", "cache", "ahead", "none")
    }
    running, waiting = _total(stats, "cancelledRunning"), _total(stats, "cancelledWaiting")
    asked = answers["model"] + running + _total(stats, "madeAhead")
    found: dict[str, Any] = {
        "editors": len(seen),
        "keys": len(keys),
        "typing_s": round(typing_s, 1),
        "shown": len(shown_ms),
        "key_to_suggestion_ms": {f"p{p}": _percentile(shown_ms, p) for p in (50, 90, 99)},
        "answered_before_the_next_key": _share(answered, len(keys)),
        "failed": sum(key.failed for key in keys),
        "lost": sum(one.lost for one in seen),
        "requests": requests,
        "answered_without_the_engine": _share(answers["cache"] + answers["ahead"], requests),
        "cancelled_before_the_engine_ran": _share(waiting, requests),
        "cancelled_while_it_ran": _share(running, requests),
        "asked_of_the_engine_per_s": round(asked / typing_s, 2) if typing_s else 0.0,
        "asked_per_editor_per_s": round(asked / sum(one.typing_s for one in seen), 3) if typing_s else 0.0,
        "made_ahead": _share(_total(stats, "madeAhead"), asked),
        "recovered": sum(one.recovered for one in seen),
    }
    if tokens is not None and asked > running:
        found["engine"] = {
            "tokens_read_per_request": round(tokens.read / asked, 1),
            "tokens_reused_per_request": round(tokens.reused / asked, 1),
            "tokens_written_per_request": round(tokens.written / asked, 1),
            "tokens_written_per_finished_request": round(tokens.written / (asked - running), 1),
            "tokens_read_per_s": round(tokens.read / typing_s, 1),
            "tokens_written_per_s": round(tokens.written / typing_s, 1),
        }
    return found


def table(found: dict[str, Any]) -> str:
    """Return the figures, each on a line."""
    lines = []
    for name, value in found.items():
        items = value.items() if isinstance(value, dict) else [("", value)]
        lines += [
            f"{' '.join(filter(None, (name, inner))).replace('_', ' '):44} {one}" for inner, one in items
        ]
    return "\n".join(lines)


def _total(stats: Sequence[dict[str, Any]], name: str) -> int:
    return sum(one[name] for one in stats)


def _share(part: float, whole: float) -> float:
    return round(part / whole, 3) if whole else 0.0


def _percentile(ordered: Sequence[float], percent: int) -> float | None:
    """Return the smallest value that is not below ``percent`` % of the values."""
    return round(ordered[math.ceil(len(ordered) * percent / 100) - 1], 1) if ordered else None
