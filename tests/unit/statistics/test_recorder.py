"""What the language server calls: switched on and off, timed by its loop, and never failing."""

from __future__ import annotations

import asyncio
import logging
from datetime import date
from pathlib import Path

import pytest

from copilot_server.statistics import life, recorder
from copilot_server.statistics.figures import read_figures
from copilot_server.statistics.recorder import Statistics
from copilot_server.statistics.types import Item, Offer, PlainEdit

URI = "file:///a.py"


class Document:
    """One open document and the statistics of it."""

    def __init__(self, path: Path) -> None:
        self.text = "x = "
        self.path = path
        self.statistics = Statistics(self.text_of, path)

    def text_of(self, uri: str) -> str | None:
        return self.text if uri == URI else None

    def offer(self, text: str) -> None:
        item = Item(f"id of {text}", text)
        self.statistics.requested(URI, len(self.text))
        self.statistics.offered(
            Offer(URI, self.text, len(self.text), (item,), "python", "model", "model", 0.1)
        )

    def insert(self, text: str) -> None:
        position = len(self.text)
        self.text += text
        self.statistics.changed(URI, [PlainEdit(position, position, text)])


@pytest.fixture
def document(tmp_path: Path) -> Document:
    return Document(tmp_path / "s" / "suggestions.sqlite3")


def totals(path: Path):
    figures = read_figures(path, days=2, today=date.today())
    return figures.totals if figures else None


async def test_what_became_of_a_suggestion_is_kept(document: Document):
    document.statistics.configure(enabled=True, editor="Neovim")
    document.offer("value + 1")
    document.insert("value + 1")
    document.statistics.closed(URI)
    assert document.statistics.close(60)
    counted = totals(document.path)
    assert (counted.offered, counted.shown, counted.accepted, counted.accepted_characters) == (1, 1, 1, 9)
    figures = read_figures(document.path, days=2, today=date.today())
    assert figures is not None
    assert [name for name, _ in figures.by["editor"]] == ["Neovim"]


async def test_every_notification_of_an_editor_is_understood(document: Document):
    statistics = document.statistics
    statistics.configure(enabled=True)
    document.offer("one")
    statistics.shown("id of one")
    statistics.dismissed("id of one")
    document.insert("#")
    document.offer("two")
    statistics.partly_accepted("id of two", 2)
    statistics.accepted("id of two")
    assert statistics.close(60)
    counted = totals(document.path)
    assert (counted.offered, counted.shown, counted.accepted, counted.accepted_characters) == (2, 2, 1, 3)


async def test_off_nothing_is_written_or_followed(document: Document):
    statistics = document.statistics
    for enabled in (None, False):
        if enabled is not None:
            statistics.configure(enabled=enabled)
        document.offer("value")
        document.insert("value")
        statistics.accepted("id of value")
    assert statistics.close(60)
    assert not document.path.parent.exists()


async def test_switched_off_what_is_followed_is_let_go(document: Document):
    statistics = document.statistics
    statistics.configure(enabled=True)
    document.offer("value")
    statistics.configure(enabled=False)
    document.insert("value")
    statistics.configure(enabled=True)
    document.offer("other")
    document.insert("other")
    assert statistics.close(60)
    counted = totals(document.path)
    assert (counted.offered, counted.accepted) == (2, 1)


async def test_the_loop_looks_again_for_what_was_accepted(
    document: Document, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(life, "CHECKS", ((0.02, "kept_30_s"), (0.06, "kept_300_s")))
    document.statistics.configure(enabled=True)
    for text in ("first()", "second()"):
        document.offer(text)
        document.insert(text)
    while (tracker := document.statistics._tracker) is not None and tracker.due_s is not None:
        await asyncio.sleep(0.01)
    assert document.statistics.close(60)
    counted = totals(document.path)
    assert (counted.kept_30_s.count, counted.kept_300_s.count) == (2, 2)


async def test_a_mistake_ends_the_statistics_and_nothing_else(
    document: Document, caplog: pytest.LogCaptureFixture
):
    document.statistics.configure(enabled=True)
    caplog.set_level(logging.INFO)
    document.statistics.changed(URI, [])
    assert not caplog.records
    document.offer("secret")
    document.statistics.changed(URI, ["no edit of secret"])  # type: ignore[list-item]
    (record,) = caplog.records
    assert record.getMessage() == "The statistics are off for this session: AttributeError"
    document.offer("secret")
    document.statistics.changed(URI, ["no edit"])  # type: ignore[list-item]
    assert len(caplog.records) == 1
    assert document.statistics.close(60)


async def test_a_database_that_fails_ends_them_too(document: Document, caplog: pytest.LogCaptureFixture):
    document.path.parent.touch()
    document.statistics.configure(enabled=True)
    document.offer("value")
    thread = document.statistics._store._thread
    assert thread is not None
    thread.join(60)
    document.insert("value")
    assert document.statistics._tracker is None
    document.insert("value")
    assert caplog.text.count("No statistics are kept") == 1


def test_the_default_file_is_in_the_users_state_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("COPILOT_SERVER_HOME", str(tmp_path))
    assert recorder.database_path() == tmp_path / "statistics" / "suggestions.sqlite3"
    monkeypatch.delenv("COPILOT_SERVER_HOME")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    assert recorder.database_path().name == "suggestions.sqlite3"
    assert "copilot-server" in recorder.database_path().parts


def test_when_the_loop_has_ended_the_rest_is_still_kept(document: Document, caplog: pytest.LogCaptureFixture):
    async def session() -> None:
        document.statistics.configure(enabled=True)
        document.offer("value")
        document.insert("value")

    asyncio.run(session())
    assert document.statistics.close(60)
    assert totals(document.path).accepted == 1
    assert not caplog.records
