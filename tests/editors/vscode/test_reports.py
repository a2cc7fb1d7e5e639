"""What the server is told, what it counts, and the steps of the walkthrough."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.editors.vscode.documents import FILE, step_is_done, suggested
from tests.editors.vscode.recorder import messages, record, reported
from tests.editors.vscode_server import COPILOT_SERVER, CodeServer, environment
from tests.editors.vscode_window import Window

pytestmark = [pytest.mark.editors, pytest.mark.model]


def test_what_is_accepted_is_counted(window: Window, folder: Path) -> None:
    before = statistics(folder)
    suggested(window)
    window.press("Tab")
    window.until("one more accepted", lambda: statistics(folder)["accepted"] > before["accepted"])
    window.replace_all("")
    suggested(window)
    window.press("Control+ArrowRight", "Control+Alt+ArrowRight", "Escape")
    window.until("a part", lambda: statistics(folder)["partly_accepted"] > before["partly_accepted"])
    window.run("Show Statistics")
    window.tab("Copilot Server Statistics").wait_for()
    assert "accepted" in window.page.locator(".editor-instance .view-lines").first.inner_text()
    window.close_tab("Copilot Server Statistics")
    window.run("Open Walkthrough")
    window.until("the step that is done now", lambda: step_is_done(window, "write"))
    window.press("Control+F4")


def statistics(folder: Path) -> dict[str, int]:
    """The server's counts of this test."""
    command = [str(COPILOT_SERVER), "stats", "--json"]
    said = subprocess.run(
        command, capture_output=True, text=True, check=True, env=environment(folder / "run")
    ).stdout
    totals: dict[str, int] = json.loads(said)["totals"]
    return totals


def test_what_the_server_is_told_and_what_takes_long_can_be_cancelled(
    window: Window, server: CodeServer, folder: Path
) -> None:
    sent = record(server, folder / "reports")
    window.until("the server that records", sent.exists)
    window.status_says("ready")
    window.focus_editor()
    window.type("x = 1\n\nyes = 2")
    window.press("Escape", "Control+Home")
    window.until("a report of the first line", lambda: reported(sent)[-1:] == [(FILE, 0, 0)])
    window.press("Control+End")
    window.until("a report of the last line", lambda: reported(sent)[-1:] == [(FILE, 2, 7)])

    # Where there is no document, the focus is on none of the server's.
    window.run("Open Walkthrough")
    window.until("a report of no document", lambda: messages(sent, "textDocument/didFocus")[-1:] == [{}])
    assert len(reported(sent)) == len(messages(sent, "copilotServer/didMoveCursor"))
    window.tab(FILE).click()
    window.until("a report of the file", lambda: reported(sent)[-1:] == [(FILE, 2, 7)])

    window.replace_all("")
    suggested(window)
    window.until("a report of what is shown", lambda: messages(sent, "textDocument/didShowCompletion"))
    for command, progress in (("Select Model", "listing the models"), ("Show Statistics", "reading the")):
        window.run(command)
        window.notice(progress).get_by_role("button", name="Cancel").click()
        window.until(f"no {progress}", lambda progress=progress: window.notice(progress).count() == 0)
        assert not window.page.locator(".quick-input-widget:visible").count()
    window.focus_editor()
    server.change_machine_settings(serverPath=str(COPILOT_SERVER))
    window.until("one server", lambda: len(server.language_servers()) == 1)
    window.status_says("ready")
