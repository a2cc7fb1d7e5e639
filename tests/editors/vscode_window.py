"""A window of VS Code as a user sees it: keys and clicks go in, the screen and the file on disk come out."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from playwright.sync_api import Browser, Error, Frame, Locator, Page, expect
from playwright.sync_api import TimeoutError as PlaywrightTimeout

from tests.editors.vscode_server import CodeServer

#: This only ends tests that hang, and measures nothing: a model may have to be loaded on a busy machine.
PATIENCE_S = 300.0
_POLL_S = 0.1
#: How long to watch for what should not appear. If it does, it appears within some tenths of a second.
_QUIET_S = 2.0
#: How long the palette may take to show a command before it is opened again.
_PALETTE_MS = 5000
#: How long a window may take to show the folders of its workspace before it is loaded again.
_FOLDERS_MS = 30_000
#: Reads the ghost text: what it adds to the line of the cursor, and the lines that it adds below.
_GHOST = """() => {
  const text = nodes => [...nodes].map(node => node.textContent).join("").replaceAll("\\u00a0", " ");
  const isBelow = node => node.closest(".suggest-preview-text") !== null;
  // Beside the completion list it is a preview.
  const ghosts = [".ghost-text-decoration", ".ghost-text-decoration-preview", ".ghost-text"]
    .map(name => `.view-lines ${name}`).join(", ");
  const inline = [...document.querySelectorAll(ghosts)];
  const first = text(inline.filter(node => !isBelow(node) && node.querySelector(".ghost-text") === null));
  const below = [...document.querySelectorAll(".suggest-preview-text .view-line")];
  return [first, ...below.map(line => text([line]))].join("\\n");
}"""

_RECORD = """item => {
  window.copilotStatuses = [item.getAttribute("aria-label")];
  const look = () => window.copilotStatuses.push(item.getAttribute("aria-label"));
  new MutationObserver(look).observe(item, { attributes: true, subtree: true });
}"""

_Value = TypeVar("_Value")


class Window:
    """A window. A wait that fails raises an AssertionError that names the picture and the log."""

    def __init__(self, server: CodeServer, browser: Browser, evidence: Path, *, scale: float = 1.0) -> None:
        self.server = server
        self._evidence = evidence
        self.page: Page = browser.new_page(
            viewport={"width": 1200, "height": 760},
            device_scale_factor=scale,
            color_scheme="dark",
            reduced_motion="reduce",
        )
        self.page.set_default_timeout(60_000)

    def open(self, name: str) -> None:
        """Open the workspace and a file of it, which is created if it is missing."""
        (self.server.workspace / name).touch()
        self.page.goto(self.server.url(name))
        expect(self.page.locator(".monaco-editor .view-line").first).to_be_visible(timeout=60_000)
        self.status_item.wait_for()

    def open_workspace(self, workspace: Path) -> None:
        """Open a workspace of several folders, and no file."""
        url = self.server.workspace_url(workspace)
        self.until("the folders of the workspace", lambda: self._try_to_open(url))
        self.status_item.wait_for()

    def _try_to_open(self, url: str) -> bool:
        """Try to open a workspace: VS Code at times reads its file too early, and then shows no folders."""
        self.page.goto(url)
        try:
            self.page.locator(".explorer-folders-view .monaco-list-row").first.wait_for(timeout=_FOLDERS_MS)
        except PlaywrightTimeout:
            return False
        return True

    def open_file(self, file: Path) -> None:
        """Open a file by its path, and wait for its text to have the focus."""
        self.press("Control+p")
        self.pick(str(file), file.name)
        self.page.locator(".tab.active", has_text=file.name).wait_for()
        self.page.locator(".editor-group-container .monaco-editor.focused").wait_for()

    # Actions.

    def type(self, text: str) -> None:
        """Type, key by key."""
        self.page.keyboard.type(text, delay=15)

    def press(self, *keys: str) -> None:
        """Press keys, one after the other."""
        for key in keys:
            self.page.keyboard.press(key)

    def run(self, command: str) -> None:
        """Run one of the extension's commands from the palette."""
        self.run_any(f"Copilot Server: {command}")

    def run_any(self, command: str) -> None:
        """Run a command from the palette."""
        self.page.mouse.move(600, 650)  # so that no hover covers the rows
        self.until(f"{command!r} in the palette", lambda: self._try_to_run(command))

    def _try_to_run(self, command: str) -> bool:
        """Try to run a command from the palette, which closes if an earlier click still takes the focus."""
        if not self.page.locator(".quick-input-box input").is_visible():
            self.press("F1")
        return self._try_to_pick(f">{command}", command)

    def pick(self, text: str, label: str) -> None:
        """Write into the box of the list at the top, and click on a row."""
        self.until(f"{label!r} in the list", lambda: self._try_to_pick(text, label))

    def _try_to_pick(self, text: str, label: str) -> bool:
        """Try to: a list that has just been opened may clear its box once more."""
        try:
            self.page.locator(".quick-input-box input").fill(text, timeout=_PALETTE_MS)
            self.row(label).click(timeout=_PALETTE_MS)
        except PlaywrightTimeout:
            return False
        return True

    def choose(self, label: str) -> None:
        """Click on a row of the list."""
        self.row(label).click()

    def close_tab(self, title: str) -> None:
        """Close a tab and discard its changes."""
        self.tab(title).click()
        self.run_any("View: Revert and Close Editor")
        self.until(f"{title} closed", lambda: self.tab(title).count() == 0)

    def clear_notices(self) -> None:
        """Close all messages."""
        if self.notices():
            self.run_any("Notifications: Clear All Notifications")
            self.until("no message", lambda: not self.notices())

    def record_statuses(self) -> None:
        """Record the text of our item from now on."""
        self.page.evaluate(_RECORD, self.status_item.element_handle())

    def focus_editor(self) -> None:
        """Give the text the focus again, without moving the cursor."""
        self.page.locator(
            ".editor-group-container .monaco-editor textarea, .native-edit-context"
        ).first.focus()

    def replace_all(self, text: str) -> None:
        """Replace the whole document and put the cursor at its end; this makes no request to the model."""
        self.press("Control+a")
        self.page.keyboard.insert_text(text)

    # What the window shows.

    @property
    def status_item(self) -> Locator:
        """Our item in the status bar."""
        return self.page.locator('[id="copilot-server.copilot-server.status"]')

    def status(self) -> str:
        """The text of our item."""
        return self.status_item.get_attribute("aria-label") or ""

    def statuses(self) -> list[str]:
        """The texts of our item since recording began."""
        said: list[str] = self.page.evaluate("window.copilotStatuses")
        return said

    def tab(self, title: str) -> Locator:
        """A tab."""
        return self.page.locator(".tab", has_text=title).first

    def row(self, label: str) -> Locator:
        """A row of the list at the top."""
        return self.page.locator(".quick-input-list-row:visible", has_text=label).first

    def rows(self) -> list[str]:
        """All rows of the list at the top."""
        return self.page.locator(".quick-input-list-row:visible .label-name").all_inner_texts()

    def ghost(self) -> str:
        """The ghost text on the screen: what it adds to the cursor's line, then the lines below."""
        shown: str = self.page.evaluate(_GHOST)
        return shown

    def notice(self, text: str) -> Locator:
        """A message on the screen that holds ``text``."""
        return self.page.locator(".notification-list-item", has_text=text).first

    def notices(self) -> list[str]:
        """All messages on the screen."""
        return self.page.locator(".notification-list-item").all_inner_texts()

    def buffer(self, name: str) -> str:
        """Save the document, and return its text as it is on disk.

        The tab looks saved while the document is still being saved, so only the file shows when that is done.
        """
        file = self.server.workspace / name
        before_ns = file.stat().st_mtime_ns
        self.press("Control+s")
        self.until(f"{name} saved", lambda: file.stat().st_mtime_ns != before_ns)
        return self.until(f"{name} written", lambda: self._settled(lambda: _marked(file)))[1:]

    def webview(self, selector: str) -> Frame:
        """The webview that contains ``selector``, once there is one."""

        def look() -> Frame | None:
            return next((frame for frame in self.page.frames if _has(frame, selector)), None)

        return self.until(f"a webview with {selector}", look)

    # Waiting.

    def until(self, what: str, look: Callable[[], _Value | bool | None]) -> _Value:
        """Wait until ``look`` returns something, and return it.

        Raises:
            AssertionError: it did not; the message names a picture of the window and has the log.
        """
        end = time.monotonic() + PATIENCE_S
        while time.monotonic() < end:
            found = look()
            if found:
                return found  # type: ignore[return-value]
            time.sleep(_POLL_S)
        raise AssertionError(f"Waited for {what}.\n{self.evidence(what)}")

    def ghost_shows(self, what: str = "ghost text") -> str:
        """Wait for ghost text that has stopped changing."""
        return self.until(what, lambda: self._settled(self.ghost))

    def ghost_is(self, wanted: str) -> None:
        """Wait for exactly this ghost text."""
        self.until(f"the ghost text {wanted!r}", lambda: self.ghost() == wanted)

    def ghost_goes(self) -> None:
        """Wait until there is no ghost text."""
        self.until("no ghost text", lambda: self.ghost() == "")

    def stays_without_ghost(self) -> None:
        """Watch for a while that no ghost text appears; another test shows that it can appear."""
        end = time.monotonic() + _QUIET_S
        while time.monotonic() < end:
            assert self.ghost() == "", self.evidence("there is ghost text although there should be none")
            time.sleep(_POLL_S)

    def status_says(self, text: str) -> str:
        """Wait until our item says ``text``."""
        return self.until(f"the status {text!r}", lambda: text in self.status() and self.status())

    def _settled(self, look: Callable[[], str]) -> str:
        before = look()
        time.sleep(2 * _POLL_S)
        return before if before == look() else ""

    def evidence(self, what: str) -> str:
        """Save a picture of the window; return its path and the messages."""
        self._evidence.mkdir(parents=True, exist_ok=True)
        picture = self._evidence / f"{re.sub(r'[^a-z0-9]+', '-', what.lower())[:60]}.png"
        self.page.screenshot(path=picture)
        said = f"Picture: {picture}\nStatus: {self.status()}\nGhost: {self.ghost()!r}"
        return f"{said}\nNotices: {self.notices()}\nLog:\n{self._log()}"

    def _log(self) -> str:
        """The end of our log as the window shows it; without native modules it is not written to disk."""
        if not self._try_to_run("Copilot Server: Show Log"):
            return "not available: the palette does not open"
        try:
            lines = self.page.locator(".panel .view-lines")
            lines.wait_for(timeout=5000)
            self.page.screenshot(path=self._evidence / "log.png")
            return lines.inner_text().replace("\u00a0", " ")
        except Error as error:
            return f"not available: {error.message}"


def _marked(file: Path) -> str:
    """The text after a mark, since an empty text is an answer, too."""
    return "|" + file.read_text(encoding="utf-8")


def _has(frame: Frame, selector: str) -> bool:
    try:
        return frame.locator(selector).count() > 0
    except Error:  # the frame has gone in the meantime
        return False
