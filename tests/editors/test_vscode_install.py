"""Installing the server in a real VS Code, and what its messages show, without a model."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, expect

from tests.editors.vscode_server import CodeServer, open_code_server
from tests.editors.vscode_window import Window
from tests.support.chromium import open_browser

pytestmark = pytest.mark.editors

#: What a remote engine or a package index could write, for VS Code to make a link of.
LINK = "[Mend it](command:workbench.action.files.newUntitledFile)"
#: A server that passes such a text on.
SERVER = """
import json, sys

def read():
    length = 0
    while line := sys.stdin.buffer.readline().strip():
        if line.lower().startswith(b"content-length:"):
            length = int(line.split(b":")[1])
    return json.loads(sys.stdin.buffer.read(length)) if length else sys.exit()

def send(message):
    body = json.dumps({"jsonrpc": "2.0", **message}).encode()
    sys.stdout.buffer.write(b"Content-Length: %%d\\r\\n\\r\\n" %% len(body) + body)
    sys.stdout.buffer.flush()

while True:
    message = read()
    if message.get("method") == "initialize":
        send({"id": message["id"], "result": {"capabilities": {}}})
    elif message.get("method") == "initialized":
        said = {"type": 1, "message": "The engine says: %s"}
        send({"method": "window/showMessage", "params": said})
    elif "id" in message and "method" in message:
        send({"id": message["id"], "result": None})
"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with open_browser() as opened:
        yield opened


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[CodeServer]:
    """A VS Code without a server, on a machine whose pip has an index of its own, which is empty."""
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    with open_code_server(tmp_path / "run", machine={"copilot-server.serverPath": "/no/server"}) as opened:
        yield opened


@pytest.fixture
def window(server: CodeServer, browser: Browser, tmp_path: Path) -> Window:
    window = Window(server, browser, tmp_path / "evidence")
    window.open("main.py")
    window.status_says("the server is not installed")
    window.clear_notices()
    return window


def dialog(window: Window, text: str) -> Locator:
    return window.page.locator(".monaco-dialog-box", has_text=text)


def test_the_server_is_installed_by_hashes_and_without_them_only_if_the_user_agrees(
    window: Window, server: CodeServer
) -> None:
    workspace = server.workspace
    (workspace / "pip.py").write_text("open('harmed', 'w').close()\n", "utf-8")
    (workspace / "venv.py").write_text("open('harmed', 'w').close()\n", "utf-8")
    window.run("Install or Update Server")
    asked = dialog(window, "Install copilot-server?")
    expect(asked).to_contain_text("pip fetches and checks by their hashes")
    # It says which server is used now, and that it stays in use unless the setting is emptied.
    expect(asked).to_contain_text("serverPath names /no/server, which is no program that can be run")
    asked.get_by_role("button", name="Install and Switch").click()

    again = dialog(window, "without checking their hashes?")
    expect(again).to_contain_text("pip is configured with no-index on this machine", timeout=120_000)
    again.get_by_role("button", name="Cancel").click()
    expect(window.notice("pip is configured with no-index")).to_be_visible()
    window.status_says("the server is not installed")
    assert server.machine_settings.read_text("utf-8").count("/no/server") == 1
    assert not list(workspace.rglob("harmed"))


def test_what_a_setting_names_is_said_to_be_installed_without_hashes(
    window: Window, server: CodeServer
) -> None:
    server.change_machine_settings(installSource="a-server-of-ours")
    asked = dialog(window, "Install copilot-server?")

    def says_so() -> bool:
        window.run("Install or Update Server")
        expect(asked).to_be_visible()
        said = asked.inner_text()
        asked.get_by_role("button", name="Cancel").click()
        return "pip installs a-server-of-ours" in said and "without checking their hashes" in said

    window.until("the setting", says_so)


def test_a_message_has_no_links_in_it(window: Window, server: CodeServer, tmp_path: Path) -> None:
    program = tmp_path / "copilot-server"
    program.write_text(f"#!{sys.executable}\n{SERVER % LINK}", "utf-8")
    program.chmod(0o755)
    server.change_machine_settings(serverPath=str(program))
    notice = window.notice("The engine says")
    expect(notice).to_contain_text("command:workbench.action.files.newUntitledFile")
    assert notice.locator("a", has_text="Mend it").count() == 0
