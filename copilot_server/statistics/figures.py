"""What became of the suggestions over some days: in total, by day, and by what ``DIMENSIONS`` names."""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any

from copilot_server.errors import StatisticsError
from copilot_server.statistics.proportion import wilson_interval
from copilot_server.statistics.schema import is_damage, open_for_reading

#: The columns by which suggestions are grouped.
DIMENSIONS = ("language", "model", "editor", "eagerness")
#: The version of what ``as_json`` returns. It rises when a key changes its meaning or is removed, but not
#: when a key is added.
JSON_VERSION = 1

_TALLY = """
    count(*) AS offered,
    total(shown) AS shown,
    total(accepted) AS accepted,
    total(accepted_characters > 0 AND NOT accepted) AS partly_accepted,
    total(typed_characters = characters AND NOT accepted) AS typed_by_hand,
    total(accepted_characters) AS accepted_characters,
    total(kept_30_s) AS kept_30_s, count(kept_30_s) AS looked_30_s,
    total(kept_300_s) AS kept_300_s, count(kept_300_s) AS looked_300_s,
    total(accepted_characters * kept_300_s) AS retained_characters,
    total(accepted_characters * (kept_300_s IS NOT NULL)) AS looked_characters
"""
_SINCE = "FROM suggestions WHERE offered_at_s >= ?"


@dataclass(frozen=True, slots=True)
class Share:
    """``count`` out of ``total``, as a rate with its 95 % interval. A total of 0 has no rate."""

    count: int
    total: int

    @property
    def rate(self) -> float | None:
        """The proportion; None if the total is 0."""
        return self.count / self.total if self.total else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """The Wilson score interval of the rate; None if the total is 0.

        Suggestions are not quite independent of each other, so the true interval is a little wider.
        """
        return wilson_interval(self.count, self.total) if self.total else None


@dataclass(frozen=True, slots=True)
class Outcomes:
    """What became of some suggestions, in the terms that the package's docstring defines.

    The totals of the last three are what was looked at: suggestions, and accepted characters after 5 min.
    """

    offered: int = 0
    shown: int = 0
    accepted: int = 0
    partly_accepted: int = 0
    typed_by_hand: int = 0
    accepted_characters: int = 0
    kept_30_s: Share = Share(0, 0)
    kept_300_s: Share = Share(0, 0)
    retained_characters: Share = Share(0, 0)

    @property
    def taken(self) -> int:
        """How many were accepted or partly accepted."""
        return self.accepted + self.partly_accepted

    def of_shown(self, count: int) -> Share:
        """Return ``count``, capped since one typed at once was never shown, as a share of those shown."""
        return Share(min(count, self.shown), self.shown)

    @property
    def acceptance(self) -> Share:
        """The share of the shown suggestions that were accepted."""
        return self.of_shown(self.accepted)


@dataclass(frozen=True, slots=True)
class Latency:
    """How long suggestions of one source took, from the request's arrival to the answer."""

    source: str
    count: int
    p50_ms: float
    p90_ms: float
    p99_ms: float


@dataclass(frozen=True, slots=True)
class Figures:
    """The figures of the days from ``first`` to ``last``, both included, by the local calendar.

    ``by``: for each dimension the outcomes by name, those shown most often first. ``daily``: the outcomes of
    every day, without gaps. ``panel``: the candidates of a panel, which count nowhere else.
    """

    first: date
    last: date
    totals: Outcomes
    latency: tuple[Latency, ...]
    by: dict[str, tuple[tuple[str, Outcomes], ...]]
    daily: tuple[tuple[date, Outcomes], ...]
    panel: Outcomes


def read_figures(path: Path, *, days: int, today: date) -> Figures | None:
    """Return the figures of the last ``days`` days up to ``today``; None if the database has no suggestions.

    Raises:
        StatisticsError: the database cannot be read.
    """
    if not path.exists():
        return None
    try:
        with closing(open_for_reading(path)) as connection:
            if connection.execute("SELECT 1 FROM suggestions LIMIT 1").fetchone() is None:
                return None
            return _figures(connection, today - timedelta(days=days - 1), today)
    except sqlite3.Error as error:
        raise _statistics_error(error, path) from error
    except OSError as error:
        raise StatisticsError(f"{path} cannot be read ({error.strerror or error}).") from error


def as_json(figures: Figures) -> dict[str, Any]:
    """Return the figures as plain values, in a stable format (``JSON_VERSION``).

    The keys are ``version``; ``from`` and ``to`` (dates, both included); ``totals`` and ``panel``; ``daily``,
    a list with a ``date`` in each entry; ``by_language``, ``by_model``, ``by_editor`` and ``by_eagerness``,
    lists with a ``name`` in each entry, which is empty if unknown; and ``latency``, a list of ``source``,
    ``count``, ``p50_ms``, ``p90_ms`` and ``p99_ms``. Except in ``latency``, all of them hold ``offered``,
    ``shown``, ``accepted``, ``partly_accepted``, ``typed_by_hand``, ``accepted_characters``, ``acceptance``
    (``rate``, ``low`` and ``high``; null if none was shown), ``kept_30_s`` and ``kept_300_s`` (``kept`` and
    ``of``), and ``retained_characters`` (``retained`` and ``of``).
    """
    return {
        "version": JSON_VERSION,
        "from": figures.first.isoformat(),
        "to": figures.last.isoformat(),
        "totals": _outcomes_json(figures.totals),
        "latency": [
            {name: getattr(one, name) for name in ("source", "count", "p50_ms", "p90_ms", "p99_ms")}
            for one in figures.latency
        ],
        "daily": [{"date": day.isoformat(), **_outcomes_json(outcomes)} for day, outcomes in figures.daily],
        **{
            f"by_{dimension}": [{"name": name, **_outcomes_json(outcomes)} for name, outcomes in groups]
            for dimension, groups in figures.by.items()
        },
        "panel": _outcomes_json(figures.panel),
    }


def several_were_used(figures: Figures, dimension: str) -> bool:
    """Whether at least two names of a dimension are known."""
    return sum(bool(name) for name, _ in figures.by[dimension]) > 1


def nothing(*, days: int, today: date) -> Figures:
    """Return the figures of days for which there are no suggestions."""
    first = today - timedelta(days=days - 1)
    daily = tuple((first + timedelta(days=n), Outcomes()) for n in range(days))
    return Figures(first, today, Outcomes(), (), dict.fromkeys(DIMENSIONS, ()), daily, Outcomes())


def _figures(connection: sqlite3.Connection, first: date, last: date) -> Figures:
    since_s = datetime.combine(first, time()).timestamp()  # midnight in local time
    where = f"{_SINCE} AND \"trigger\" != 'panel'"
    empty = nothing(days=(last - first).days + 1, today=last)
    by_day = dict(_grouped(connection, "date(offered_at_s, 'unixepoch', 'localtime')", where, since_s))
    totals = connection.execute(f"SELECT {_TALLY} {where}", (since_s,)).fetchone()
    panel = connection.execute(f"SELECT {_TALLY} {_SINCE} AND \"trigger\" = 'panel'", (since_s,)).fetchone()
    return replace(
        empty,
        totals=_outcomes(totals),
        latency=_latencies(connection, where, since_s),
        by={name: tuple(_grouped(connection, name, where, since_s)) for name in DIMENSIONS},
        daily=tuple((day, by_day.get(day.isoformat(), none)) for day, none in empty.daily),
        panel=_outcomes(panel),
    )


def _grouped(
    connection: sqlite3.Connection, name: str, where: str, since_s: float
) -> list[tuple[str, Outcomes]]:
    select = f"SELECT {name} AS name, {_TALLY} {where} GROUP BY 1 ORDER BY shown DESC, offered DESC, name"
    return [(row["name"], _outcomes(row)) for row in connection.execute(select, (since_s,))]


def _outcomes(row: sqlite3.Row) -> Outcomes:
    return Outcomes(
        offered=row["offered"],
        shown=int(row["shown"]),
        accepted=int(row["accepted"]),
        partly_accepted=int(row["partly_accepted"]),
        typed_by_hand=int(row["typed_by_hand"]),
        accepted_characters=int(row["accepted_characters"]),
        kept_30_s=Share(int(row["kept_30_s"]), row["looked_30_s"]),
        kept_300_s=Share(int(row["kept_300_s"]), row["looked_300_s"]),
        retained_characters=Share(int(row["retained_characters"]), int(row["looked_characters"])),
    )


def _latencies(connection: sqlite3.Connection, where: str, since_s: float) -> tuple[Latency, ...]:
    by_source: dict[str, list[float]] = {}
    for row in connection.execute(f"SELECT source, latency_ms {where} ORDER BY latency_ms", (since_s,)):
        by_source.setdefault(row["source"], []).append(row["latency_ms"])
    ordered = sorted(by_source.items(), key=lambda one: -len(one[1]))
    return tuple(
        Latency(source, len(values), *(_percentile(values, percent) for percent in (50, 90, 99)))
        for source, values in ordered
    )


def _percentile(ordered: Sequence[float], percent: int) -> float:
    """Return the nearest-rank percentile: the least value that ``percent`` per cent of all do not exceed."""
    return ordered[max(0, math.ceil(percent / 100 * len(ordered)) - 1)]


def _outcomes_json(outcomes: Outcomes) -> dict[str, Any]:
    share = outcomes.acceptance
    low, high = share.interval or (None, None)
    return {
        "offered": outcomes.offered,
        "shown": outcomes.shown,
        "accepted": outcomes.accepted,
        "acceptance": None if share.rate is None else {"rate": share.rate, "low": low, "high": high},
        "partly_accepted": outcomes.partly_accepted,
        "typed_by_hand": outcomes.typed_by_hand,
        "accepted_characters": outcomes.accepted_characters,
        "kept_30_s": {"kept": outcomes.kept_30_s.count, "of": outcomes.kept_30_s.total},
        "kept_300_s": {"kept": outcomes.kept_300_s.count, "of": outcomes.kept_300_s.total},
        "retained_characters": {
            "retained": outcomes.retained_characters.count,
            "of": outcomes.retained_characters.total,
        },
    }


def _statistics_error(error: sqlite3.Error, path: Path) -> StatisticsError:
    if is_damage(error):
        remedy = "The next editor session will set it aside; `copilot-server stats --forget` deletes it."
        return StatisticsError(f"{path} is damaged.", remedy=remedy)
    return StatisticsError(
        f"{path} cannot be read ({error}).",
        remedy="Check its permissions, or try again when no other process is using it.",
    )
