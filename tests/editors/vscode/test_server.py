"""The server in a real VS Code: its states, its failures, another engine, and the self-test."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.editors.vscode.documents import BEFORE, FILE, suggested
from tests.editors.vscode_server import COPILOT_SERVER, CodeServer
from tests.editors.vscode_window import Window
from tests.support.engines import llamacpp_engine

pytestmark = [pytest.mark.editors, pytest.mark.model]


def test_the_status_bar_shows_starting_loading_and_thinking(window: Window) -> None:
    window.record_statuses()
    window.run("Restart Server")
    window.until("a loading model", lambda: any("loading" in said for said in window.statuses()))
    window.status_says("ready")
    assert any("starting" in said for said in window.statuses())
    window.focus_editor()
    suggested(window)
    # The state is not shown if it lasts too short a time to be seen; several suggestions take longer.
    window.press("Control+Alt+\\")
    window.until("thinking", lambda: any("thinking" in said for said in window.statuses()))
    window.status_says("ready")
    window.close_tab("Suggestions")


def test_a_killed_server_is_reported_and_restarted(window: Window, server: CodeServer) -> None:
    (killed,) = server.language_servers()
    killed.kill()
    expect(window.notice("The server stopped unexpectedly (signal SIGKILL)")).to_be_visible()
    window.until("another server", lambda: killed.pid not in [one.pid for one in server.language_servers()])
    window.status_says("ready")
    body = suggested(window)
    window.press("Tab")
    assert window.buffer(FILE) == BEFORE + body


def test_a_missing_server_is_reported_with_a_remedy(window: Window, server: CodeServer) -> None:
    server.change_machine_settings(serverPath="/no/such/copilot-server")
    window.status_says("the server is not installed")
    notice = window.notice("/no/such/copilot-server")
    expect(notice.get_by_role("button", name="Install")).to_be_visible()
    window.until("no server", lambda: not server.language_servers())
    window.status_item.click()
    window.row("Install the server…").wait_for()
    assert "Install the server…" in window.rows()[0]
    window.press("Escape")
    window.clear_notices()
    window.focus_editor()
    window.press("Alt+\\")
    expect(notice.get_by_role("button", name="Install")).to_be_visible()

    server.change_machine_settings(serverPath="/bin/false")
    window.status_says("error")
    window.clear_notices()
    window.focus_editor()
    window.press("Alt+\\")
    expect(window.notice("does not start").get_by_role("button", name="Restart")).to_be_visible()
    server.change_machine_settings(serverPath=str(COPILOT_SERVER))
    window.status_says("ready")
    window.focus_editor()
    assert suggested(window)


def test_a_missing_model_is_an_error_that_the_picker_fixes(
    window: Window, server: CodeServer, folder: Path
) -> None:
    window.run("Select Model")
    window.row("qwen2.5-coder-0.5b").wait_for()
    window.type("Another")
    window.choose("Another model…")
    window.page.locator(".quick-input-box input").fill(str(folder / "no-such-model"))
    window.press("Enter")
    assert "no-such-model" in window.status_says("error")
    assert "no-such-model" in server.machine_settings.read_text(encoding="utf-8")

    window.run("Select Model")
    window.choose("qwen2.5-coder-0.5b")
    window.status_says("ready")
    window.clear_notices()
    window.focus_editor()
    assert suggested(window)


def test_a_remote_engine_is_named_and_reported_when_it_is_unreachable(
    window: Window, server: CodeServer
) -> None:
    with llamacpp_engine() as engine:
        host = engine.url.removeprefix("http://")
        server.change_machine_settings(engine=[engine.url])
        assert f"is sent to the engine at {host}" in window.status_says("ready (qwen2.5-coder-0.5b at ")
        expect(window.status_item).to_contain_text(f"Copilot Server: {host}")
        window.status_item.click()
        window.row(f"The model runs at {host}").wait_for()
        window.press("Escape")
        window.focus_editor()
        body = suggested(window)
        window.press("Tab")
        assert window.buffer(FILE) == BEFORE + body

        engine.kill()
        assert f"The engine at {host}" in window.status_says("error")
        engine.restart()
        assert "tried again" not in window.status_says("ready")
        window.replace_all("")
        assert suggested(window)

        server.change_machine_settings(engine=[])
        window.status_says("ready (qwen2.5-coder-0.5b)")
        assert host not in window.status()
    window.focus_editor()
    window.replace_all("")
    assert suggested(window)


def test_a_self_test_shows_how_far_it_is_and_can_be_cancelled(window: Window, server: CodeServer) -> None:
    window.run("Run Self-test (HumanEval)")
    window.choose("The whole of HumanEval")
    expect(window.notice(" of 164, pass@1")).to_be_visible(timeout=300_000)
    window.notice("of 164").get_by_role("button", name="Cancel").click()
    window.until("no self-test", lambda: not server.self_tests())


def test_a_self_test_opens_its_report(window: Window) -> None:
    window.run("Run Self-test (HumanEval)")
    window.choose("A quick look")
    report = window.webview("text=95 % interval")
    expect(report.locator("body")).to_contain_text("Of 20 tasks")
    expect(window.notice("on 20 problems")).to_be_visible()
    window.close_tab("Self-test Report")
