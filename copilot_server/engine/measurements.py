"""What is measured on this machine once and remembered, such as how fast it is.

What was measured while other programs computed is measured again at the next start, a few times, and the
fastest counts: one noisy start must decide nothing for ever.
"""

from __future__ import annotations

import json
import logging
import os
import platform
from collections.abc import Callable
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import Generic, TypeVar

import psutil

from copilot_server.fetch import home

_LOG = logging.getLogger(__name__)

#: The share of all processors' time that other programs may take while measuring, and how many starts measure
#: again where they always take more.
QUIET, ATTEMPTS = 0.1, 3

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Measured(Generic[_T]):
    """What was measured, in a dataclass of texts and positive numbers.

    ``attempts``: how many starts have measured while other programs kept the processors busy; 0 once none
    did.
    """

    value: _T
    attempts: int


def measure_once(
    kind: Callable[..., _T], key: str, measure: Callable[[], _T], fastest: Callable[[_T, _T], _T]
) -> _T:
    """Measure, or recall what was measured on this machine under this key.

    Args:
        kind: The dataclass that ``measure`` returns, of texts and positive numbers.
        key: Names what is measured.
        measure: Measures.
        fastest: The faster of two measurements, or of each of their parts; the newer comes first.
    """
    before = recall(kind, key)
    if before and not 0 < before.attempts < ATTEMPTS:
        return before.value
    others = OtherPrograms()
    measured = Measured(measure(), 0)
    if others.share() > QUIET:
        value = fastest(measured.value, before.value) if before else measured.value
        measured = Measured(value, before.attempts + 1 if before else 1)
    _LOG.info("measured: %s", measured)
    path = _path(key)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(asdict(measured)), "utf-8")
    except OSError as error:
        _LOG.debug("what was measured cannot be remembered: %s", error)
    return measured.value


def recall(kind: Callable[..., _T], key: str) -> Measured[_T] | None:
    """What was measured under this key, in the dataclass ``kind``; None if nothing was that can be read."""
    try:
        kept = json.loads(_path(key).read_text("utf-8"))
        numbers = [kept["attempts"] + 1, *kept["value"].values()]
        are_possible = all(isinstance(one, str) or one > 0 for one in numbers)
        return Measured(kind(**kept["value"]), kept["attempts"]) if are_possible else None
    except (OSError, ValueError, TypeError, LookupError, AttributeError):
        return None


def _path(key: str) -> Path:
    machine = f"{platform.node()} {platform.processor()} {os.cpu_count()}"
    return home() / "tuning" / f"{sha256(f'{machine} {key}'.encode()).hexdigest()[:16]}.json"


class OtherPrograms:
    """How much of all processors' time other programs take, from its making on."""

    def __init__(self) -> None:
        self._start = self._times_s()

    def share(self) -> float:
        """The share so far, from 0 to 1."""
        busy_s, all_s = (now - before for now, before in zip(self._times_s(), self._start, strict=True))
        return max(0.0, busy_s / max(all_s, 1e-9))

    @staticmethod
    def _times_s() -> tuple[float, float]:
        """The seconds that processors were busy with others, and those that have passed for all of them."""
        times, own = psutil.cpu_times(), psutil.Process().cpu_times()
        idle_s = times.idle + getattr(times, "iowait", 0.0)
        # Linux counts a guest's time as its user's, too.
        all_s = sum(times) - getattr(times, "guest", 0.0) - getattr(times, "guest_nice", 0.0)
        return all_s - idle_s - own.user - own.system, all_s
