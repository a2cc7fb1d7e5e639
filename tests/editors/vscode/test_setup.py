"""What a newcomer meets in a real VS Code: installing, agreeing to a model, and messages.

The model is a tiny one, which a hub on the loopback has.
"""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, expect

from tests.editors.vscode.scripted import script
from tests.editors.vscode_server import COPILOT_SERVER, CodeServer, open_code_server
from tests.editors.vscode_window import Window
from tests.support.hub_server import CUT_BYTES, KEPT_BYTES, REPOSITORY, Hub, running_hub_of

pytestmark = pytest.mark.editors

FILE = "main.py"

#: What a remote engine or a package index could write, for VS Code to make a link of.
LINK = "[Mend it](command:workbench.action.files.newUntitledFile)"
#: A server that passes such a text on.
SAYS = f"""
def handle(message):
    if message.get("method") == "initialized":
        said = {{"type": 1, "message": "The engine says: {LINK}"}}
        send({{"method": "window/showMessage", "params": said}})
    elif "id" in message and "method" in message:
        send({{"id": message["id"], "result": None}})
"""
#: A Python for which there are no libraries yet.
TOO_NEW = "#!/bin/sh\necho 3 99 /opt/python3.99\n"
#: A wheel on a machine that does not answer.
UNREACHABLE = "http://127.0.0.1:9/copilot_server-9.9-py3-none-any.whl"


@pytest.fixture(scope="module")
def hub(tiny_model_dir: Path) -> Iterator[Hub]:
    with running_hub_of(tiny_model_dir) as hub:
        yield hub


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, hub: Hub) -> Iterator[CodeServer]:
    """A VS Code on a machine without a model, whose pip has an index of its own, which is empty."""
    folder = tmp_path_factory.mktemp("setup")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PIP_NO_INDEX", "1")
        patch.setenv("PIP_CONFIG_FILE", "/dev/null")
        patch.setenv("PIP_RETRIES", "0")
        patch.delenv("PIP_FIND_LINKS", raising=False)
        for name in [name for name in os.environ if name.startswith("HF_")]:
            patch.delenv(name)
        patch.setenv("HF_ENDPOINT", hub.endpoint)
        patch.setenv("HF_HOME", str(folder / "hf"))
        patch.setenv("COPILOT_SERVER_HOME", str(folder / "home"))
        with open_code_server(folder / "run", machine={}) as opened:
            yield opened


@pytest.fixture
def window(server: CodeServer, browser: Browser, tmp_path: Path) -> Iterator[Window]:
    """A window of a VS Code that has no server."""
    server.change_machine_settings(serverPath="/no/server", model=REPOSITORY)
    window = Window(server, browser, tmp_path / "evidence")
    window.open(FILE)
    window.status_says("the server is not installed")
    window.clear_notices()
    yield window
    window.page.close()


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


def test_a_failure_names_its_cause_with_a_remedy(window: Window, server: CodeServer, tmp_path: Path) -> None:
    python = tmp_path / "python3.99"
    python.write_text(TOO_NEW, "utf-8")
    python.chmod(0o755)
    server.change_machine_settings(pythonPath=str(python))
    failure = window.notice("Python 3.99 is too new for the server's libraries")
    window.until("the failure", lambda: asks_to_install(window, failure))
    expect(failure.get_by_role("button", name="Choose Python…")).to_be_visible()

    server.change_machine_settings(pythonPath="", installSource=UNREACHABLE)
    asked = dialog(window, UNREACHABLE)
    window.until("the question", lambda: asks_to_install(window, asked))
    asked.get_by_role("button", name="Install and Switch").click()
    failure = window.notice("Is this machine online?")
    expect(failure.get_by_role("button", name="Try Again")).to_be_visible(timeout=120_000)
    assert not any("which has no" in said for said in window.notices())
    window.status_says("the server is not installed")


def asks_to_install(window: Window, wanted: Locator) -> bool:
    """Ask for the installation; whether that is answered as wanted, once the settings have been read."""
    window.clear_notices()
    window.run("Install or Update Server")
    asked = dialog(window, "Install copilot-server?")
    wanted.or_(asked).or_(window.notice("Show Log")).first.wait_for()
    if wanted.is_visible():
        return True
    if asked.is_visible():
        asked.get_by_role("button", name="Cancel").click()
    return False


@pytest.fixture
def storage(server: CodeServer) -> Iterator[Path]:
    """The extension's folder, in whose place there is a file, in which root, too, can make no folder."""
    folder = server.data / "User" / "globalStorage" / "copilot-server.copilot-server"
    away = folder.rename(folder.with_suffix(".away"))
    folder.touch()
    yield folder
    if folder.is_dir():
        shutil.rmtree(folder)
    else:
        folder.unlink()
    away.rename(folder)


def test_where_its_folder_cannot_be_made_nothing_starts_for_ever(window: Window, storage: Path) -> None:
    window.run("Restart Server")
    window.status_says("error")
    failure = window.notice(f"{storage} could not be made")
    expect(failure.get_by_role("button", name="Show Log")).to_be_visible()
    storage.unlink()
    failure.get_by_role("button", name="Restart").click()
    window.status_says("the server is not installed")


def test_a_message_has_no_links_in_it(window: Window, server: CodeServer, tmp_path: Path) -> None:
    script(server, tmp_path / "says", SAYS)
    notice = window.notice("The engine says")
    expect(notice).to_contain_text("command:workbench.action.files.newUntitledFile")
    assert notice.locator("a", has_text="Mend it").count() == 0
    expect(notice.get_by_role("button", name="Show Log")).to_be_visible()


def test_a_model_is_fetched_once_the_user_agrees_and_the_download_can_be_cancelled(
    window: Window, server: CodeServer, hub: Hub
) -> None:
    hub.cuts_bytes, hub.stalled = [CUT_BYTES], threading.Event()
    server.change_machine_settings(serverPath=str(COPILOT_SERVER))
    question = window.notice(REPOSITORY)
    expect(question).to_contain_text("Fetch it")
    expect(question).to_contain_text(hub.endpoint.removeprefix("http://"))
    question.get_by_role("button", name="Not now").click()
    window.until("the answer", lambda: is_declined(window))

    # Without an explicit request there is no other question, and nothing has been fetched.
    window.replace_all("import os\n\n")
    window.type("print(os.path")
    window.press("Escape", "Alt+\\")
    question.get_by_role("button", name="Fetch").click()
    progress = window.notice(f"Fetching {REPOSITORY}")
    expect(progress).to_contain_text("10 of 16 MB")
    window.status_says("%")
    progress.get_by_role("button", name="Cancel").click()
    window.until("the download cancelled", lambda: is_declined(window))
    assert not hub.stalled.is_set()  # so nothing but the cancelling has ended it

    window.focus_editor()
    window.press("Alt+\\")
    question.get_by_role("button", name="Fetch").click()
    window.status_says("ready")
    assert [one.range for one in hub.downloads()] == [None, f"bytes={KEPT_BYTES}-"]
    window.focus_editor()
    window.press("Alt+\\")
    assert window.ghost_shows()


def is_declined(window: Window) -> bool:
    """Whether nothing asks or is fetched, and the status says that the model is not here."""
    return not window.notice(REPOSITORY).count() and "the model is not on this machine" in window.status()
