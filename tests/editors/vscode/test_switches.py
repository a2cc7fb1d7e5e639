"""Where and when nothing is suggested, and what a user who asks then is told."""

from __future__ import annotations

import json

import pytest
from playwright.sync_api import expect

from tests.editors.vscode.documents import BEFORE, FIBONACCI, FILE, suggested
from tests.editors.vscode_server import CodeServer
from tests.editors.vscode_window import Window

pytestmark = [pytest.mark.editors, pytest.mark.model]

TOGGLE = "Control+Alt+Shift+\\"


def test_turned_off_nothing_runs_and_the_key_says_so_and_turned_on_it_is_again(
    window: Window, server: CodeServer
) -> None:
    suggested(window)
    assert server.language_servers()
    window.press(TOGGLE)
    window.status_says("suggestions are off")
    window.ghost_goes()
    window.until("no server", lambda: not server.language_servers())
    window.replace_all("")
    window.type(FIBONACCI)
    window.stays_without_ghost()
    assert window.buffer(FILE) == BEFORE

    window.press("Alt+\\")
    window.notice("Suggestions are off").get_by_role("button", name="Turn On").click()
    window.status_says("ready")
    window.focus_editor()
    window.press("Alt+\\")
    assert window.ghost_shows()


#: The rows of a list whose icon VS Code does not know, or that have none: it then draws nothing.
_WITHOUT_ICON = """() => [...document.querySelectorAll(".quick-input-list .monaco-list-row")].filter(row => {
  const icon = row.querySelector(".label-name .codicon");
  return icon === null || getComputedStyle(icon, "::before").content === "none";
}).map(row => row.innerText)"""


def test_the_menu_turns_one_language_off_and_on(window: Window, server: CodeServer) -> None:
    window.status_item.click()
    window.row("Turn suggestions off for python").wait_for()
    assert window.page.evaluate(_WITHOUT_ICON) == []
    window.choose("Turn suggestions off for python")
    window.status_says("suggestions are off for python")
    settings = json.loads(server.user_settings.read_text(encoding="utf-8"))
    assert settings["copilot-server.languages"] == {"python": False}
    window.focus_editor()
    window.type(FIBONACCI)
    window.stays_without_ghost()
    window.press("Alt+\\")
    assert window.ghost_shows()  # who asks is answered
    window.press("Escape")

    window.status_item.click()
    window.choose("Turn suggestions on for python")
    window.status_says("ready")
    window.focus_editor()
    window.press("Alt+\\")
    assert window.ghost_shows()


def test_snoozed_nothing_comes_unasked_and_resumed_it_does_again(window: Window) -> None:
    window.status_item.click()
    window.choose("Snooze suggestions")
    window.choose("15 minutes")
    window.status_says("snoozed until")
    window.focus_editor()
    window.type(FIBONACCI)
    window.stays_without_ghost()
    window.press("Alt+\\")
    assert window.ghost_shows()
    window.press("Escape")
    window.status_item.click()
    window.choose("Resume suggestions")
    window.status_says("ready")
    window.focus_editor()
    window.replace_all("")
    assert suggested(window)


def test_who_asks_where_nothing_may_be_suggested_is_told_why(window: Window, server: CodeServer) -> None:
    (server.workspace / ".env").write_text("TOKEN=1\n", encoding="utf-8")
    window.page.locator(".explorer-folders-view .monaco-list-row", has_text=".env").dblclick()
    window.page.locator(".tab.active", has_text=".env").wait_for()
    window.status_says("excluded")
    window.press("Control+End", "Alt+\\")
    expect(window.page.locator(".statusbar-item", has_text="excluded").first).to_be_visible()
    assert not window.notices()  # nothing can be done about it
    window.tab(FILE).click()
    assert "excluded" not in window.status_says("ready")
    window.tab(".env").click()
    window.status_says("excluded")
    window.close_tab(".env")
    assert "excluded" not in window.status_says("ready")


#: In Markdown, the fence is what the model would begin to write in.
NOTES = "# Notes\n\nThe function for it:\n\n```python\n"


def test_in_markdown_nothing_comes_unasked_until_it_is_turned_on(window: Window, server: CodeServer) -> None:
    (server.workspace / "notes.md").touch()
    window.page.locator(".explorer-folders-view .monaco-list-row", has_text="notes.md").dblclick()
    window.status_says("suggestions are off for markdown")
    window.replace_all(NOTES)
    window.type("def fibonacci(n):\n")
    window.stays_without_ghost()
    window.press("Alt+\\")
    assert window.ghost_shows()  # who asks is answered
    window.press("Escape")
    window.run("Turn Suggestions On or Off for This Language")
    window.status_says("ready")
    window.focus_editor()
    window.replace_all(NOTES)
    window.type("def fibonacci(n):\n")
    window.until("an answer", lambda: window.ghost() or "not likely enough" in window.status())
    window.run("Turn Suggestions On or Off for This Language")
    window.status_says("suggestions are off for markdown")
    window.close_tab("notes.md")


def test_a_workspace_cannot_send_source_to_a_remote_engine(window: Window, server: CodeServer) -> None:
    file = server.workspace / ".vscode" / "settings.json"
    file.parent.mkdir(exist_ok=True)
    settings = {"copilot-server.engine": ["http://127.0.0.1:9"], "copilot-server.enabled": False}
    file.write_text(json.dumps(settings), encoding="utf-8")
    window.status_says("suggestions are off")  # which shows that the settings are read, and ends the server
    file.write_text(json.dumps(settings | {"copilot-server.enabled": True}), encoding="utf-8")
    assert "127.0.0.1" not in window.status_says("ready (qwen2.5-coder-0.5b)")
    assert suggested(window)
    assert len(server.language_servers()) == 1
    file.unlink()
