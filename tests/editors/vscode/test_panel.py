"""Several suggestions side by side."""

from __future__ import annotations

import textwrap

import pytest
from playwright.sync_api import expect

from tests.editors.examples import ADD, IMPOSSIBLE
from tests.editors.vscode.documents import BEFORE, BEFORE_TRIANGLE, FILE, TRIANGLE, suggested
from tests.editors.vscode_server import CodeServer
from tests.editors.vscode_window import Window

pytestmark = [pytest.mark.editors, pytest.mark.model]


def test_the_panel_shows_several_and_inserts_one_that_one_undo_takes_back(window: Window) -> None:
    suggested(window)
    window.press("Control+Alt+\\")
    page = window.webview("#candidates article")
    expect(page.locator("#state")).to_contain_text("to accept", timeout=300_000)
    codes = page.locator("article code").all_text_contents()
    assert len(codes) > 1
    assert len(set(codes)) == len(codes)

    page.locator("article button").nth(1).click()
    window.until("the panel closed", lambda: window.tab("Suggestions").count() == 0)
    window.until("the cursor back", lambda: window.page.locator(".tab.active", has_text=FILE).count())
    inserted = window.buffer(FILE)
    assert inserted.startswith(BEFORE)
    # The panel shows the line before the cursor too, but not the indentation that all lines share.
    assert textwrap.dedent(f"    {inserted.removeprefix(BEFORE)}") == codes[1]
    window.press("Control+z")
    assert window.buffer(FILE) == BEFORE


def test_the_panel_refuses_a_document_that_has_changed_and_asks_again_in_it_as_it_is(window: Window) -> None:
    suggested(window)
    window.press("Control+Alt+\\")
    page = window.webview("#candidates article")
    expect(page.locator("#state")).to_contain_text("to accept", timeout=300_000)
    window.tab(FILE).click()
    window.type("pass")
    page.locator("article button").first.click()
    expect(page.locator("#state")).to_contain_text("has changed")
    window.focus_editor()
    assert window.buffer(FILE) == f"{BEFORE}pass"

    window.replace_all("")
    window.type(TRIANGLE)
    window.press("Escape")
    page.locator("#again").click()
    expect(page.locator("#where")).to_contain_text("line 3")
    expect(page.locator("#state")).to_contain_text("to accept", timeout=300_000)
    page.locator("article button").first.click()
    window.until("the panel closed", lambda: window.tab("Suggestions").count() == 0)
    window.until("the cursor back", lambda: window.page.locator(".tab.active", has_text=FILE).count())
    inserted = window.buffer(FILE).removeprefix(BEFORE_TRIANGLE)
    assert inserted
    assert not inserted.startswith("def ")


def test_what_passes_the_examples_comes_first_and_what_fails_says_how(window: Window) -> None:
    window.replace_all(unindented(ADD))
    window.press("Control+Alt+\\")
    page = window.webview("#candidates article")
    expect(page.locator("#state")).to_contain_text("to accept", timeout=300_000)
    first = page.locator("article").first
    expect(first.locator(".examples.passed")).to_have_text("✓ 1 of 1 example passes")
    window.tab(FILE).click()

    window.replace_all(unindented(IMPOSSIBLE))
    page.locator("#again").click()
    expect(page.locator("article .examples.failed").first).to_contain_text("add(2, 3)", timeout=300_000)
    expect(page.locator("#state")).to_contain_text("to accept", timeout=300_000)
    expect(first.locator(".examples")).to_contain_text("got 5")
    expect(page.locator(".examples.passed")).to_have_count(0)


def unindented(text: str) -> str:
    """Return what to type for a text: VS Code indents."""
    return text.replace("\n    ", "\n")


def test_what_came_by_itself_is_checked_while_nobody_types_and_stays_as_it_is(
    window: Window, server: CodeServer
) -> None:
    set_verify(window, server, "idle")
    window.focus_editor()
    for text, said in ((IMPOSSIBLE, "example `add(2, 3) == 6` fails: got 5"), (ADD, "1 of 1 example passes")):
        window.replace_all("")
        window.type(unindented(text))
        body = window.ghost_shows()
        window.status_says(said)
        assert window.ghost() == body
        assert window.buffer(FILE) == text
    set_verify(window, server, "asked")


def set_verify(window: Window, server: CodeServer, when: str) -> None:
    """Change when suggestions are checked, which restarts the server, and wait for that."""
    before = {one.pid for one in server.language_servers()}
    server.change_machine_settings(verify=when)
    window.until("another server", lambda: {one.pid for one in server.language_servers()} - before)
    window.until("only that", lambda: len(server.language_servers()) == 1)
    window.status_says("ready")
