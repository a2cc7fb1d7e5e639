"""Takes the pictures of VS Code for docs/, and a recording: ``python -m tests.editors.vscode_pictures``."""

from __future__ import annotations

import tempfile
from functools import partial
from pathlib import Path

from playwright.sync_api import Browser, FloatRect, expect

from tests.editors.recording import END_MS, LINE_MS, SUGGESTION_MS, Recording
from tests.editors.vscode_server import ROOT, open_code_server
from tests.editors.vscode_window import PATIENCE_S, Window
from tests.support.chromium import open_browser

DOCS = ROOT / "docs"
FILE = "hashes.py"
LOOKS = {
    "copilot-server.completion.candidates": 5,
    "copilot-server.completion.temperature": 0.8,
    "editor.cursorBlinking": "solid",
    "editor.fontSize": 15,
    "editor.guides.indentation": False,
    "editor.hideCursorInOverviewRuler": True,
    "editor.lineHeight": 1.6,
    "editor.overviewRulerBorder": False,
    "editor.overviewRulerLanes": 0,
    "editor.padding.top": 10,
    "editor.renderLineHighlight": "none",
    "editor.scrollbar.vertical": "hidden",
    "editor.scrollbar.horizontal": "hidden",
    "window.menuBarVisibility": "hidden",
    "workbench.activityBar.location": "hidden",
    "workbench.colorTheme": "Default Dark Modern",
    "workbench.editor.editorActionsLocation": "hidden",
}
#: What is there before the recording begins, and what is typed then: VS Code indents.
BEGUN = "import hashlib\nfrom pathlib import Path\n\n\n"
TYPED = '''\
def sha256_of(path: Path) -> str:
"""Return the SHA-256 of a file, which is read in pieces."""
'''

#: A function whose examples some suggestions pass and others fail.
CHECKED = '''\
def middle(text: str) -> str:
"""Return the middle of a text: one character, or two if its length is even.

>>> middle('abc')
'b'
>>> middle('abcd')
'bc'
"""
'''


def main() -> None:
    """Take all pictures."""
    DOCS.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, open_browser() as browser:
        _take(browser, Path(folder))


def _take(browser: Browser, folder: Path) -> None:
    with open_code_server(folder / "run", user=LOOKS) as server:
        window = Window(server, browser, folder / "evidence", scale=2.0)
        window.page.set_default_timeout(PATIENCE_S * 1000)  # a busy machine takes its time
        window.page.set_viewport_size({"width": 720, "height": 440})
        window.open(FILE)
        window.status_says("ready")
        window.clear_notices()
        window.press("Control+b")
        window.page.locator(".part.sidebar").wait_for(state="hidden")
        window.page.mouse.move(500, 300)  # away from the edge, which lights up under the mouse
        _hide_what_is_not_ours(window)
        _record(window)
        window.press("Control+z")

        window.page.set_viewport_size({"width": 1600, "height": 620})
        _panel(window, "panel")
        window.focus_editor()
        window.replace_all(CHECKED)
        _panel(window, "verify")

        window.page.set_viewport_size({"width": 900, "height": 820})  # at less the menu would scroll
        window.focus_editor()
        window.status_item.click()
        window.row("Settings…").wait_for()
        _save(window, "menu", clip={"x": 0, "y": 0, "width": 900, "height": 400})


def _record(window: Window) -> None:
    """Record how a function is typed, its body suggested and accepted; take a picture of that, too."""
    window.focus_editor()
    window.replace_all(BEGUN)
    recording = Recording(partial(window.page.screenshot, caret="initial"))
    recording.frame(LINE_MS)
    recording.type(TYPED, window.type)
    window.ghost_shows()
    _save(window, "ghost-text")
    recording.frame(SUGGESTION_MS)
    window.press("Tab")
    window.ghost_goes()
    recording.frame(END_MS)
    recording.write(DOCS / "vscode-suggestion.webp")


def _panel(window: Window, name: str) -> None:
    """Take a picture of the panel with all its suggestions, and close it."""
    window.press("Control+Alt+\\")
    page = window.webview("#candidates article")
    expect(page.locator("#state")).to_contain_text("to accept", timeout=300_000)
    window.page.mouse.move(500, 500)  # away from the tab, whose name is shown under the mouse
    _save(window, name)
    window.tab("Suggestions").click(button="middle")


def _hide_what_is_not_ours(window: Window) -> None:
    """Show the status bar as on a desktop, without code-server's own items."""
    foreign = ("status.host", "status.forwardedPorts", "status.problems", "status.notifications")
    items = ", ".join([*(f"[id^='{name}']" for name in foreign), "[id*='eyboardLayout']"])
    window.page.add_style_tag(content=f".statusbar-item:is({items}) {{ display: none !important }}")


def _save(window: Window, name: str, clip: FloatRect | None = None) -> None:
    window.page.wait_for_timeout(500)  # everything has faded in
    window.page.screenshot(path=DOCS / f"vscode-{name}.png", clip=clip)


if __name__ == "__main__":
    main()
