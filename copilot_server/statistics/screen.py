"""The screen that ``copilot-server stats`` prints."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from datetime import date
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from copilot_server.shown import shown
from copilot_server.statistics.figures import Figures, Latency, Outcomes, Share

_WIDTH_OF_A_PIPE = 100
#: Consoles at least this wide have a column for what was looked at, and bars.
_WIDTH_WITH_LOOKED_AT, _WIDTH_WITH_BARS = 78, 90
_BAR_CELLS = 10
#: The most rows of a table, unless ``--by`` asks for it.
_MOST_ROWS = 5
#: The most characters of a sparkline; if there are more days, several share a character.
_MOST_SPARKS = 60

_SPARKS, _NO_SPARK, _EIGHTHS = "▁▂▃▄▅▆▇█", "·", " ▏▎▍▌▋▊▉█"
# For terminals that support only ASCII.
_ASCII_SPARKS, _ASCII_NO_SPARK, _ASCII_EIGHTHS = "_,-~=+*#", ".", "    ####="


class Screen:
    """Draws figures on a console, in ASCII if the console supports nothing else."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._ascii = console.options.ascii_only

    def show(self, figures: Figures, *, by: Sequence[str], most_rows: int | None = _MOST_ROWS) -> None:
        """Show the figures, with one table for each dimension in ``by``."""
        self._console.print(Text(f"Suggestions, {_days(figures.first, figures.last)}", style="bold"))
        parts = [_totals(figures), self._daily(figures.daily)]
        if figures.latency:
            parts.append(self._latency(figures.latency))
        parts += [self._groups(name, figures.by[name], most_rows) for name in by if figures.by[name]]
        for part in parts:
            self._console.print()
            self._console.print(part)

    def show_nothing(self, path: Path) -> None:
        """Say that there are no suggestions yet, and how they come to be recorded."""
        print_ = self._console.print
        print_(Text("No suggestions are recorded yet.", style="bold"))
        print_(
            "They are counted while an editor uses copilot-server, unless the setting `statistics` is false."
        )
        print_("What is counted stays on this machine, and no source is kept. It goes to:")
        print_(self._name(str(path)), soft_wrap=True)

    def _daily(self, daily: Sequence[tuple[date, Outcomes]]) -> Table:
        """Draw the figures of each day, several days to a character where there are too many."""
        width = min(_MOST_SPARKS, max(10, self._console.width - 34))
        per_spark = -(-len(daily) // width)
        chunks = [daily[n : n + per_spark] for n in range(0, len(daily), per_spark)]
        shown = [sum(one.shown for _, one in chunk) for chunk in chunks]
        accepted = [sum(one.accepted for _, one in chunk) for chunk in chunks]
        rates = [Share(*pair).rate or 0.0 for pair in zip(accepted, shown, strict=True)]
        each = "a day" if per_spark == 1 else f"in {per_spark} days"
        table = _table("", "", "")
        table.add_row("shown", self._sparkline(shown, "cyan"), f"up to {max(shown):,} {each}")
        table.add_row("accepted", self._sparkline(accepted, "green"), f"up to {max(accepted):,} {each}")
        table.add_row("rate", self._sparkline(rates, "yellow"), f"up to {percent(max(rates))}")
        table.columns[2].style, table.columns[2].justify = "dim", "left"
        return table

    def _sparkline(self, values: Sequence[float], style: str) -> Text:
        """Draw each value relative to the greatest one; a dot stands for 0."""
        sparks, none = (_ASCII_SPARKS, _ASCII_NO_SPARK) if self._ascii else (_SPARKS, _NO_SPARK)
        most, line = max(values), Text()
        for value in values:
            if value:
                line.append(sparks[min(len(sparks) - 1, int(value / most * len(sparks)))], style)
            else:
                line.append(none, "dim")
        return line

    def _latency(self, latencies: Sequence[Latency]) -> Table:
        table = _table("latency", "suggestions", "p50", "p90", "p99", headed=True)
        for one in latencies:
            times = (duration(value) for value in (one.p50_ms, one.p90_ms, one.p99_ms))
            table.add_row(self._name(one.source), f"{one.count:,}", *times)
        return table

    def _groups(self, title: str, groups: Sequence[tuple[str, Outcomes]], most: int | None) -> Table:
        bars = [""] if self._console.width >= _WIDTH_WITH_BARS else []
        looked = ["looked at"] if self._console.width >= _WIDTH_WITH_LOOKED_AT else []
        names = ["shown", "accepted", "rate", *bars, "characters", "retained", *looked]
        table = _table(title, *names, headed=True)
        # The width of the figures: headings, a bar, "100.0 %" below "rate", and two blanks between columns.
        taken = sum(len(name) + 2 for name in names) + len(bars) * _BAR_CELLS + 3
        table.columns[0].max_width = max(8, self._console.width - taken)
        for name, one in groups[:most]:
            retained = one.retained_characters
            table.add_row(
                self._name(name),
                f"{one.shown:,}",
                f"{one.accepted:,}",
                _rate(one.acceptance),
                *(self._bar(one.acceptance.rate or 0.0) for _ in bars),
                f"{one.accepted_characters:,}",
                f"{retained.count:,}" if retained.total else "",
                *(f"{retained.total:,}" for _ in looked),
            )
        left = len(groups) - len(groups[:most])
        if left:
            table.add_row(Text(f"+ {left} more", style="dim"))
        return table

    def _name(self, name: str) -> Text:
        """Return a name as safe text: markup is shown literally, and control characters are escaped."""
        text = shown(name) or "(unknown)"
        return Text(text.encode("ascii", "backslashreplace").decode() if self._ascii else text)

    def _bar(self, rate: float) -> Text:
        eighths = _ASCII_EIGHTHS if self._ascii else _EIGHTHS
        whole, part = divmod(round(rate * _BAR_CELLS * 8), 8)
        bar = eighths[8] * whole + (eighths[part] if part else "")
        return Text(f"{bar:{_BAR_CELLS}}", style="green")


def screen_on_stdout() -> Screen:
    """Return a screen on stdout, as wide as the terminal, or of a fixed width for a file or a pipe."""
    own_width = sys.stdout.isatty() or "COLUMNS" in os.environ
    return Screen(Console(width=None if own_width else _WIDTH_OF_A_PIPE, highlight=False))


def percent(rate: float) -> str:
    """Return a share as people read it."""
    return f"{rate * 100:.1f} %"


def duration(value_ms: float) -> str:
    """Return a duration as people read it."""
    if value_ms < 9.95:
        return f"{value_ms:.1f} ms"
    return f"{value_ms:,.0f} ms" if value_ms < 999.5 else f"{value_ms / 1e3:,.1f} s"


def _totals(figures: Figures) -> Table:
    totals = figures.totals
    table = _table("", "", "", "")
    table.columns[1].style = "bold"
    table.columns[3].style = "dim"
    table.columns[3].no_wrap = False
    table.columns[3].justify = "left"
    table.add_row("shown", f"{totals.shown:,}", "", f"of {totals.offered:,} offered")
    table.add_row("accepted", *_of_shown(totals, totals.accepted), _interval(totals.acceptance))
    table.add_row("partly accepted", *_of_shown(totals, totals.partly_accepted), "a word or a line of it")
    table.add_row("typed by hand", *_of_shown(totals, totals.typed_by_hand), "right, and not accepted")
    for name, share in (("kept after 30 s", totals.kept_30_s), ("kept after 5 min", totals.kept_300_s)):
        table.add_row(name, f"{share.count:,}", _rate(share), _looked_at(share, totals.taken))
    retained = totals.retained_characters
    note = _looked_at(retained, totals.accepted_characters)
    table.add_row("accepted characters", f"{totals.accepted_characters:,}")
    table.add_row("retained characters", f"{retained.count:,}", _rate(retained), note)
    if figures.panel.offered:
        note = f"of {figures.panel.offered:,} candidates, counted apart"
        table.add_row("from the panel", f"{figures.panel.accepted:,}", "", note)
    return table


def _of_shown(totals: Outcomes, count: int) -> tuple[str, str]:
    return f"{count:,}", _rate(totals.of_shown(count))


def _rate(share: Share) -> str:
    return "" if share.rate is None else percent(share.rate)


def _looked_at(share: Share, taken: int) -> str:
    if not share.total:
        return "none was looked at yet"
    left = max(0, taken - share.total)
    return f"of {share.total:,} looked at" + (f"; {left:,} not (yet)" if left else "")


def _interval(share: Share) -> str:
    if share.interval is None:
        return "none was shown"
    low, high = share.interval
    return f"of those shown; 95 % interval {low * 100:.1f} to {high * 100:.1f}"


def _days(first: date, last: date) -> str:
    if first == last:
        return f"{first.day} {first:%b %Y}"
    year = "" if first.year == last.year else f" {first.year}"
    return f"{first.day} {first:%b}{year} to {last.day} {last:%b %Y}"


def _table(*names: str, headed: bool = False) -> Table:
    """Return a table without borders: the first column is for names, the others are for figures.

    If the table is too wide, the names are cropped.
    """
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, show_edge=False, show_header=headed)
    table.add_column(names[0], header_style="bold", no_wrap=True, overflow="crop")
    for name in names[1:]:
        justify = "right" if name or not headed else "left"
        table.add_column(name, justify=justify, header_style="dim", no_wrap=True, min_width=len(name))  # type: ignore[arg-type]
    return table
