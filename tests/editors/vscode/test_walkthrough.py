"""The walkthrough in the VS Code of a new user, whose workspace has suggestions off in one of its folders."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.editors.vscode.documents import step_is_done
from tests.editors.vscode.recorder import messages, record
from tests.editors.vscode_server import CodeServer, open_code_server
from tests.editors.vscode_window import Window
from tests.support.patience import wait_until

pytestmark = pytest.mark.editors

FILE = "main.py"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[CodeServer]:
    """A VS Code of its own: the walkthrough is offered once to each user."""
    with open_code_server(tmp_path / "run", machine={}) as opened:
        yield opened


def test_the_walkthrough_is_offered_and_of_two_folders_one_may_have_suggestions_off(
    server: CodeServer, browser: Browser, tmp_path: Path, tiny_model_dir: Path
) -> None:
    sent = record(server, tmp_path / "record", model=str(tiny_model_dir))
    on, off = (tmp_path / name for name in ("on", "off"))
    workspace = workspace_of(on, off)
    settings = json.dumps({"copilot-server.enabled": False})
    (off / ".vscode" / "settings.json").write_text(settings, encoding="utf-8")
    window = Window(server, browser, tmp_path / "evidence")
    window.open_workspace(workspace)
    # The walkthrough is offered, and does not take the place of what is opened.
    window.notice("Open Walkthrough").wait_for()
    window.open_file(off / FILE)
    window.status_says("suggestions are off in this workspace")
    window.press("Alt+\\")
    expect(window.notice("off in this workspace").get_by_role("button", name="Turn On")).to_be_visible()
    window.page.locator(".explorer-folders-view .monaco-list-row", has_text=FILE).first.dblclick()
    window.status_says("ready")
    wait_until(lambda: messages(sent, "textDocument/didOpen"), "the first document")
    assert f"{on.name}/{FILE}" in sent.read_text("utf-8")
    assert f"{off.name}/{FILE}" not in sent.read_text("utf-8")

    # What was done before VS Code has opened any walkthrough counts: here the server has been found.
    window.run("Open Walkthrough")
    expect(window.page.locator("h2", has_text="Get started with Copilot Server")).to_be_visible()
    expect(window.page.locator("h3", has_text="Compare several suggestions")).to_be_visible()
    window.until("the step that is done", lambda: step_is_done(window, "server"))
    assert not step_is_done(window, "write")  # nothing has been accepted yet
    window.page.close()


def workspace_of(*roots: Path) -> Path:
    """Make the folders, each with an empty file, and a workspace of them."""
    for root in roots:
        (root / ".vscode").mkdir(parents=True)
        (root / FILE).touch()
    file = roots[0].parent / "both.code-workspace"
    file.write_text(json.dumps({"folders": [{"path": str(root)} for root in roots]}), encoding="utf-8")
    return file
