"""The figures, from rows in a real database, and how ``copilot-server stats`` shows them."""

from __future__ import annotations

import io
import re
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest
from rich.console import Console

from copilot_server.errors import StatisticsError
from copilot_server.statistics.figures import (
    Figures,
    Share,
    as_json,
    nothing,
    read_figures,
    several_were_used,
)
from copilot_server.statistics.proportion import wilson_interval
from copilot_server.statistics.screen import Screen
from copilot_server.statistics.types import Suggestion
from tests.support.statistics_rows import ROW, write

TODAY = date(2026, 11, 25)


def at(day: date, hour: int = 12) -> int:
    """A moment of a local day."""
    return int(datetime(day.year, day.month, day.day, hour).astimezone().timestamp())


def numbered(*rows: Suggestion) -> list[Suggestion]:
    return [replace(row, id=number) for number, row in enumerate(rows)]


SEEN = replace(ROW, offered_at_s=at(TODAY), shown=True)
TAKEN = replace(SEEN, accepted=True, accepted_characters=20, kept_30_s=True, kept_300_s=True)
PARTLY = replace(SEEN, accepted_characters=5, kept_30_s=False)
TYPED = replace(SEEN, typed_characters=20)
UNSEEN = replace(SEEN, shown=False)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "statistics" / "suggestions.sqlite3"


def figures_of(path: Path, rows: Sequence[Suggestion], *, days: int = 30) -> Figures:
    write(path, *numbered(*rows))
    figures = read_figures(path, days=days, today=TODAY)
    assert figures is not None
    return figures


class TestFigures:
    def test_they_count_what_became_of_the_suggestions(self, path: Path):
        totals = figures_of(path, [SEEN, TAKEN, TAKEN, PARTLY, TYPED, UNSEEN]).totals
        assert (totals.offered, totals.shown, totals.accepted) == (6, 5, 2)
        assert (totals.partly_accepted, totals.typed_by_hand, totals.accepted_characters) == (1, 1, 45)
        assert (totals.kept_30_s, totals.kept_300_s) == (Share(2, 3), Share(2, 2))
        assert totals.acceptance == Share(2, 5)

    def test_retained_are_the_accepted_characters_of_what_is_kept(self, path: Path):
        removed = replace(TAKEN, accepted_characters=7, kept_300_s=False)
        half = replace(PARTLY, kept_300_s=True)
        not_yet = replace(TAKEN, accepted_characters=9, kept_300_s=None)
        totals = figures_of(path, [SEEN, TAKEN, removed, half, not_yet]).totals
        assert (totals.accepted_characters, totals.retained_characters) == (41, Share(25, 32))
        assert totals.taken == 4

    def test_by_eagerness_and_the_unknown_among_them(self, path: Path):
        low, unknown = replace(TAKEN, eagerness="low"), replace(SEEN, eagerness="")
        figures = figures_of(path, [SEEN, SEEN, SEEN, low, low, unknown])
        assert [
            (name, one.shown, one.accepted, one.retained_characters) for name, one in figures.by["eagerness"]
        ] == [("medium", 3, 0, Share(0, 0)), ("low", 2, 2, Share(40, 40)), ("", 1, 0, Share(0, 0))]

    def test_what_is_unknown_was_not_used(self, path: Path):
        unknown = replace(SEEN, eagerness="")
        assert not several_were_used(figures_of(path, [SEEN, unknown]), "eagerness")
        other = path.with_name("other")
        assert several_were_used(figures_of(other, [SEEN, replace(SEEN, eagerness="high")]), "eagerness")

    def test_by_name_the_most_shown_first(self, path: Path):
        lua, other = (
            replace(TAKEN, language="lua"),
            replace(SEEN, model="deepseek-coder-1.3b", editor="Emacs"),
        )
        by = figures_of(path, [SEEN, lua, lua, other]).by
        assert [(name, one.shown, one.accepted) for name, one in by["language"]] == [
            ("lua", 2, 2),
            ("python", 2, 0),
        ]
        assert [name for name, _ in by["model"]] == ["qwen2.5-coder-0.5b", "deepseek-coder-1.3b"]
        assert [name for name, _ in by["editor"]] == ["Neovim", "Emacs"]

    def test_by_local_day_and_none_left_out(self, path: Path):
        first = TODAY - timedelta(days=6)
        rows = [
            replace(SEEN, offered_at_s=at(first, 0)),
            replace(SEEN, offered_at_s=at(first, 0) - 1),
            replace(SEEN, offered_at_s=at(TODAY, 23)),
        ]
        figures = figures_of(path, rows, days=7)
        assert [one.shown for _, one in figures.daily] == [1, 0, 0, 0, 0, 0, 1]
        assert [day for day, _ in figures.daily] == [first + timedelta(days=n) for n in range(7)]
        assert figures.totals.shown == 2

    def test_latency_by_source_the_most_frequent_first(self, path: Path):
        rows = [replace(SEEN, latency_ms=float(n)) for n in range(1, 101)]
        rows.append(replace(SEEN, source="cache", latency_ms=1.5))
        model, cache = figures_of(path, rows).latency
        assert (model.source, model.count, model.p50_ms, model.p90_ms, model.p99_ms) == (
            *("model", 100),
            *(50.0, 90.0, 99.0),
        )
        assert (cache.source, cache.count, cache.p50_ms, cache.p99_ms) == ("cache", 1, 1.5, 1.5)

    def test_candidates_of_a_panel_are_counted_apart(self, path: Path):
        figures = figures_of(path, [SEEN, replace(TAKEN, trigger="panel"), replace(UNSEEN, trigger="panel")])
        assert (figures.totals.offered, figures.totals.accepted) == (1, 0)
        assert (figures.panel.offered, figures.panel.accepted) == (2, 1)

    @pytest.mark.parametrize(("count", "total"), [(0, 1), (1, 1), (0, 40), (13, 40), (400, 1204)])
    def test_the_interval_is_wilsons(self, count: int, total: int):
        assert Share(count, total).interval == pytest.approx(wilson_interval(count, total))

    def test_of_nothing_there_is_no_rate(self):
        assert (Share(0, 0).rate, Share(0, 0).interval) == (None, None)

    def test_without_a_row_there_are_no_figures(self, path: Path):
        assert read_figures(path, days=30, today=TODAY) is None
        write(path, ROW)
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("DELETE FROM suggestions")
            connection.commit()
        assert read_figures(path, days=30, today=TODAY) is None

    def test_a_damaged_file_is_reported_and_left_alone(self, path: Path):
        path.parent.mkdir()
        path.write_bytes(b"this is no database" * 1000)
        with pytest.raises(StatisticsError, match="is damaged"):
            read_figures(path, days=30, today=TODAY)
        assert [file.name for file in path.parent.iterdir()] == [path.name]


OUTCOMES = {
    *("offered", "shown", "accepted", "acceptance", "partly_accepted", "typed_by_hand"),
    *("accepted_characters", "kept_30_s", "kept_300_s", "retained_characters"),
}


class TestJson:
    def test_its_form_is_kept(self, path: Path):
        document = as_json(figures_of(path, [SEEN, TAKEN]))
        assert document.keys() == {
            *("version", "from", "to", "totals", "latency", "daily", "panel"),
            *("by_language", "by_model", "by_editor", "by_eagerness"),
        }
        assert (document["version"], document["from"], document["to"]) == (1, "2026-10-27", "2026-11-25")
        assert document["totals"].keys() == document["panel"].keys() == OUTCOMES
        assert document["totals"]["acceptance"].keys() == {"rate", "low", "high"}
        assert document["totals"]["kept_30_s"] == {"kept": 1, "of": 1}
        assert document["totals"]["retained_characters"] == {"retained": 20, "of": 20}
        assert document["daily"][0].keys() == OUTCOMES | {"date"}
        assert document["by_language"][0].keys() == OUTCOMES | {"name"}
        assert document["latency"][0].keys() == {"source", "count", "p50_ms", "p90_ms", "p99_ms"}
        assert len(document["daily"]) == 30

    def test_of_nothing_it_has_the_same_form(self, path: Path):
        document = as_json(nothing(days=30, today=TODAY))
        assert document.keys() == as_json(figures_of(path, [SEEN])).keys()
        assert document["totals"]["acceptance"] is None


def drawn(figures: Figures, width: int = 80, encoding: str = "utf-8", **how: object) -> str:
    stream = io.TextIOWrapper(io.BytesIO(), encoding)
    screen = Screen(Console(file=stream, width=width, highlight=False))
    screen.show(figures, **{"by": ("language", "model"), **how})  # type: ignore[arg-type]
    stream.seek(0)
    return stream.read()


class TestScreen:
    @pytest.fixture
    def figures(self, path: Path) -> Figures:
        languages = ("python", "typescript", "lua", "go", "rust", "c", "markdown")
        rows = [replace(TAKEN, language=name) for name in languages]
        rows += [
            replace(SEEN, offered_at_s=at(TODAY - timedelta(days=n))) for n in range(20) for _ in range(n)
        ]
        return figures_of(path, rows)

    @pytest.mark.parametrize("width", [60, 80, 120])
    def test_it_fits(self, figures: Figures, width: int):
        text = drawn(figures, width)
        assert max(map(len, text.splitlines())) <= width
        for word in ("python", "markdown", "qwen2.5-coder-0.5b"[: width // 6], "100.0 %", "160 ms"):
            assert word in text
        assert "…" not in text

    def test_a_short_terminal_holds_it(self, figures: Figures):
        assert len(drawn(figures).splitlines()) <= 30

    def test_what_was_not_looked_at_is_said(self, path: Path):
        not_yet = replace(TAKEN, accepted_characters=9, kept_30_s=None, kept_300_s=None)
        text = drawn(figures_of(path, [TAKEN, not_yet]))
        assert re.search(
            r"^kept after 5 min +1 +100\.0 % +of 1 looked at; 1 not \(yet\) *$", text, re.MULTILINE
        )
        assert re.search(r"^accepted characters +29 *$", text, re.MULTILINE)
        assert re.search(
            r"^retained characters +20 +100\.0 % +of 20 looked at; 9 not \(yet\) *$", text, re.MULTILINE
        )
        all_of_it = drawn(figures_of(path.with_name("other"), [TAKEN]))
        assert re.search(r"^retained characters +20 +100\.0 % +of 20 looked at *$", all_of_it, re.MULTILINE)

    def test_each_table_has_characters_beside_the_rate(self, path: Path):
        removed = replace(TAKEN, language="lua", kept_300_s=False)
        none = replace(SEEN, language="go")
        text = drawn(figures_of(path, [TAKEN, removed, none]), width=80)
        heads = r"shown +accepted +rate +characters +retained +looked at"
        assert re.search(rf"^language +{heads}$", text, re.MULTILINE)
        assert re.search(r"^python +1 +1 +100\.0 % +20 +20 +20$", text, re.MULTILINE)
        assert re.search(r"^lua +1 +1 +100\.0 % +20 +0 +20$", text, re.MULTILINE)
        assert re.search(r"^go +1 +0 +0\.0 % +0 +0$", text, re.MULTILINE)

    def test_an_unknown_eagerness_is_shown_as_such(self, path: Path):
        text = drawn(figures_of(path, [SEEN, replace(SEEN, eagerness="")]), by=("eagerness",))
        assert re.search(r"^\(unknown\) +1 ", text, re.MULTILINE)
        assert re.search(r"^medium +1 ", text, re.MULTILINE)

    def test_the_days_are_drawn(self, figures: Figures):
        (line,) = (
            line for line in drawn(figures).splitlines() if line.startswith("shown") and "a day" in line
        )
        assert "··········███▇▇▆" in line
        assert "up to 19 a day" in line

    def test_many_days_share_a_character(self, figures: Figures):
        many = replace(figures, daily=figures.daily * 40)
        text = drawn(many)
        assert max(map(len, text.splitlines())) <= 80
        assert "days" in text

    def test_a_long_table_is_cut_and_the_one_asked_for_is_not(self, figures: Figures):
        assert "+ 2 more" in drawn(figures)
        whole = drawn(figures, by=("language",), most_rows=None)
        assert "+ 2 more" not in whole
        assert "typescript" in whole
        assert "qwen" not in whole

    def test_names_do_not_reach_the_terminal_as_they_are(self, path: Path):
        names = ("[red]", "\x1b[31m", "a\nb", "é")
        text = drawn(figures_of(path, [replace(SEEN, language=name) for name in names]))
        for shown in ("[red]", r"\x1b[31m", r"a\nb", "é"):
            assert shown in text
        assert "\x1b" not in text

    def test_where_only_ascii_can_be_shown_it_is(self, path: Path, figures: Figures):
        assert drawn(figures, encoding="ascii").isascii()
        assert not drawn(figures).isascii()
        strange = figures_of(path.with_name("other"), [replace(SEEN, language="é" * 60, model="ü")])
        assert r"\xe9" in drawn(strange, encoding="ascii")
