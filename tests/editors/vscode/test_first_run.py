"""From a VS Code that has just been installed to the first ghost text, and two windows that install at once.

The server that is installed is the checkout's, with one small library from an index on the loopback.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from playwright.sync_api import Browser, expect

from tests.editors.vscode_server import COPILOT_SERVER, CodeServer, extension_folder, open_code_server
from tests.editors.vscode_window import Window
from tests.support.patience import wait_until
from tests.support.processes import children
from tests.support.small_index import SmallIndex, bundle_small_server, running_index

pytestmark = pytest.mark.editors

#: VS Code indents.
FUNCTION = 'def fibonacci(n: int) -> int:\n"""Return the n-th Fibonacci number."""\n'


@pytest.fixture
def index(tmp_path: Path) -> Iterator[SmallIndex]:
    with running_index(tmp_path) as opened:
        yield opened


@pytest.fixture
def server(tmp_path: Path, index: SmallIndex, monkeypatch: pytest.MonkeyPatch) -> Iterator[CodeServer]:
    """A VS Code as it is after the extension has been installed, and a pip that knows this index alone."""
    for name in ("PIP_NO_INDEX", "PIP_FIND_LINKS", "PIP_EXTRA_INDEX_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_INDEX_URL", index.url)
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_NO_CACHE_DIR", "1")
    with open_code_server(tmp_path / "run", machine={}) as opened:
        bundle_small_server(extension_folder(tmp_path / "run") / "server", index, COPILOT_SERVER)
        yield opened


def pips(server: CodeServer) -> list[psutil.Process]:
    """The running pips that this VS Code has started."""
    return children(server.pid, "pip")


def runs(process: psutil.Process) -> bool:
    """Whether a process runs, also one that its parent has left behind."""
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.mark.model
def test_the_first_ghost_text_takes_two_actions_and_two_windows_do_not_disturb_each_other(
    server: CodeServer, index: SmallIndex, browser: Browser, tmp_path: Path
) -> None:
    first = Window(server, browser, tmp_path / "first")
    first.open("main.py")
    first.status_says("the server is not installed")
    offer = first.notice("is not on this machine yet")
    expect(offer).to_contain_text("MB of libraries from PyPI")

    # The first action. The second is to agree to the model where it must be fetched: here it is on the disk.
    offer.get_by_role("button", name="Install", exact=True).click()
    progress = first.notice("Installing copilot-server")
    expect(progress).to_contain_text("fetching tiny", timeout=120_000)
    expect(progress.get_by_role("button", name="Cancel")).to_be_visible()
    first.status_says("installing the server")
    index.gives.set()
    first.status_says("ready")
    first.focus_editor()
    first.type(FUNCTION)
    first.ghost_shows()

    # Two windows install again at once; the index holds the library back.
    index.gives.clear()
    agree(first)
    wait_until(lambda: index.asked == 2, "the second pip")
    second = Window(server, browser, tmp_path / "second")
    second.open("other.py")
    second.status_says("ready")
    agree(second)
    expect(second.notice("another window is installing it")).to_be_visible(timeout=120_000)
    (pip,) = pips(server)

    # The first window is closed, and its pip with it. The second notices.
    first.run_any("Developer: Reload Window")
    wait_until(lambda: not runs(pip), "the end of pip")
    failure = second.notice("The other window has not installed the server")
    expect(failure).to_be_visible(timeout=120_000)

    # Whoever has agreed and tries again is not asked again, and gets a server that is ready.
    index.gives.set()
    second.record_statuses()
    failure.get_by_role("button", name="Try Again").click()
    second.notice("the server is installed").wait_for()
    assert any("starting" in said for said in second.statuses())
    second.status_says("ready")
    second.focus_editor()
    second.type(FUNCTION)
    second.ghost_shows()


def agree(window: Window) -> None:
    """Ask for the installation by the command, and agree to it."""
    window.clear_notices()
    window.run("Install or Update Server")
    asked = window.page.locator(".monaco-dialog-box", has_text="Install copilot-server?")
    expect(asked).to_contain_text("takes the place of the one that was installed before")
    asked.get_by_role("button", name="Install", exact=True).click()
