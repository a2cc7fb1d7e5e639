"""The VS Code in which most tests of this folder run, one after the other, with the real server and model."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.editors.vscode.documents import FILE
from tests.editors.vscode_server import CodeServer, open_code_server
from tests.editors.vscode_window import Window
from tests.support.chromium import open_browser

#: Settings with which several suggestions are hardly ever all the same.
DIVERSE = {"copilot-server.completion.candidates": 5, "copilot-server.completion.temperature": 1.0}
#: In JavaScript, VS Code's completion list has the words of the document.
WORDS = {"[javascript]": {"editor.wordBasedSuggestions": "currentDocument"}}


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    with open_browser() as opened:
        yield opened


@pytest.fixture(scope="package")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("vscode")


@pytest.fixture(scope="package")
def server(folder: Path) -> Iterator[CodeServer]:
    with open_code_server(folder / "run", user={**DIVERSE, **WORDS}) as opened:
        yield opened


@pytest.fixture(scope="package")
def shared(server: CodeServer, browser: Browser, folder: Path) -> Window:
    window = Window(server, browser, folder / "evidence")
    window.open(FILE)
    return window


@pytest.fixture
def window(shared: Window) -> Window:
    """A window with an empty Python file and a server that is ready."""
    shared.press("Escape", "Escape")
    shared.clear_notices()
    shared.tab(FILE).click()
    shared.status_says("ready")
    shared.replace_all("")
    return shared
