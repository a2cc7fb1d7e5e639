"""A window of VS Code as its user has it: keys and clicks go in; the screen, and the file on disk, come out."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from playwright.sync_api import Browser, Locator, Page, expect

from tests.editors.vscode_server import CodeServer

#: Patience, not a claim: a model is loaded, on a machine that others use too.
PATIENCE_S = 300.0
_POLL_S = 0.1
#: The start of each line that the ghost adds, and what it adds to the line of the cursor.
_GHOST = """() => {
  const text = nodes => [...nodes].map(node => node.textContent).join("").replaceAll("\\u00a0", " ");
  const isBelow = node => node.closest(".suggest-preview-text") !== null;
  const inline = [...document.querySelectorAll(".view-lines .ghost-text-decoration, .view-lines .ghost-text")];
  const first = text(inline.filter(node => !isBelow(node) && node.querySelector(".ghost-text") === null));
  const below = [...document.querySelectorAll(".suggest-preview-text .view-line")];
  return [first, ...below.map(line => text([line]))].join("\\n");
}"""

_Value = TypeVar("_Value")


class Window:
    """One window. Its waits end in an AssertionError that shows where the picture and the log are."""

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

    def open(self, *files: str) -> None:
        """Open files of the workspace, each made empty if it is not there, and have the last one active."""
        for name in files:
            (self.server.workspace / name).touch()
        self.page.goto(self.server.url(*files))
        expect(self.page.locator(".monaco-editor .view-line").first).to_be_visible(timeout=60_000)
        self.status_item.wait_for()

    # What is done.

    def type(self, text: str) -> None:
        """Type, key by key."""
        self.page.keyboard.type(text, delay=15)

    def press(self, *keys: str) -> None:
        """Press keys, one after the other."""
        for key in keys:
            self.page.keyboard.press(key)

    def run(self, command: str) -> None:
        """Run a command of ours from the palette."""
        self.press("F1")
        box = self.page.locator(".quick-input-widget input")
        box.wait_for()
        box.fill(f">Copilot Server: {command}")
        self.row(f"Copilot Server: {command}").wait_for()
        self.press("Enter")

    def choose(self, label: str) -> None:
        """Click on a row of what is offered."""
        self.row(label).click()

    def focus_editor(self) -> None:
        """Have the keys go to the text again, and the cursor stay."""
        self.page.locator(".editor-group-container .monaco-editor textarea, .native-edit-context").first.focus()

    def replace_all(self, text: str) -> None:
        """Replace the whole document, the cursor then at its end; nothing is asked of the model for it."""
        self.press("Control+a")
        self.page.keyboard.insert_text(text)

    # What is seen.

    @property
    def status_item(self) -> Locator:
        """Our item in the status bar."""
        return self.page.locator('[id="copilot-server.copilot-server.status"]')

    def status(self) -> str:
        """What our item says, in words."""
        return self.status_item.get_attribute("aria-label") or ""

    def row(self, label: str) -> Locator:
        """A row of what is offered at the top."""
        return self.page.locator(".quick-input-list-row", has_text=label).first

    def rows(self) -> list[str]:
        """All rows that are offered."""
        return self.page.locator(".quick-input-list-row .label-name").all_inner_texts()

    def ghost(self) -> str:
        """The ghost text on the screen: what the cursor's line gets, then a line for each below."""
        shown: str = self.page.evaluate(_GHOST)
        return shown

    def notice(self, text: str) -> Locator:
        """A message on the screen that holds ``text``."""
        return self.page.locator(".notification-list-item", has_text=text).first

    def buffer(self, name: str) -> str:
        """The document's text: it is saved, and read from the disk.

        While it is being saved its tab looks saved already, so it is the file that tells.
        """
        file = self.server.workspace / name
        before_ns = file.stat().st_mtime_ns
        self.press("Control+s")
        self.until(f"{name} saved", lambda: file.stat().st_mtime_ns != before_ns)
        return self.until(f"{name} written", lambda: self._settled(lambda: _marked(file)))[1:]

    # What is waited for.

    def until(self, what: str, look: Callable[[], _Value | None | bool]) -> _Value:
        """Wait until ``look`` gives something, and return it.

        Raises:
            AssertionError: it never did; with a picture of the window, and the log.
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
        """Wait for just this ghost text."""
        self.until(f"the ghost text {wanted!r}", lambda: self.ghost() == wanted)

    def ghost_goes(self) -> None:
        """Wait until there is no ghost text."""
        self.until("no ghost text", lambda: self.ghost() == "")

    def status_says(self, text: str) -> str:
        """Wait until our item says ``text``."""
        return self.until(f"the status {text!r}", lambda: text in self.status() and self.status())

    def _settled(self, look: Callable[[], str]) -> str:
        before = look()
        time.sleep(2 * _POLL_S)
        return before if before == look() else ""

    def evidence(self, what: str) -> str:
        """Keep a picture of the window; returns where it is, and what was said."""
        self._evidence.mkdir(parents=True, exist_ok=True)
        picture = self._evidence / f"{re.sub(r'[^a-z0-9]+', '-', what.lower())[:60]}.png"
        self.page.screenshot(path=picture)
        log = "\n".join(self.server.logs().splitlines()[-40:])
        return f"Picture: {picture}\nStatus: {self.status()}\nGhost: {self.ghost()!r}\nLog:\n{log}"


def _marked(file: Path) -> str:
    """The text behind a mark, for an empty text is an answer too."""
    return "|" + file.read_text(encoding="utf-8")
