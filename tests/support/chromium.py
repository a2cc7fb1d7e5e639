"""A headless Chromium with pages that the tests made, driven by Playwright.

Playwright would download browsers of its own; the tests use the one that is installed on the machine.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Self

from playwright.sync_api import Browser, sync_playwright

NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
REMEDY = (
    "The report is tested in a headless Chromium, and none is installed. Install one (Debian, Ubuntu: "
    "apt-get install chromium-headless-shell, or chromium), or name its program in COPILOT_SERVER_CHROMIUM."
)
_MARGIN = 12.0


def find_chromium() -> str:
    """The program of a Chromium on this machine.

    Raises:
        RuntimeError: there is none; the message says what to install.
    """
    for name in (os.environ.get("COPILOT_SERVER_CHROMIUM", ""), *NAMES):
        found = shutil.which(name) if name else None
        if found is not None:
            return found
    raise RuntimeError(REMEDY)


@contextmanager
def open_browser() -> Iterator[Browser]:
    """Start a Chromium with a temporary profile.

    Its own sandbox is off, since that does not start as root and in containers; it opens only pages that the
    tests made.

    Raises:
        RuntimeError: no Chromium is installed.
    """
    program = find_chromium()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, chromium_sandbox=False)
        yield browser
        browser.close()


class Tab:
    """A page with a screen of its own, light or dark, in CSS pixels that are ``scale`` device pixels wide."""

    def __init__(
        self,
        browser: Browser,
        *,
        width: int = 1200,
        height: int = 900,
        dark: bool = False,
        scale: float = 1.0,
    ) -> None:
        self._page = browser.new_page(
            viewport={"width": width, "height": height},
            device_scale_factor=scale,
            is_mobile=width < 500,
            color_scheme="dark" if dark else "light",
            reduced_motion="reduce",
        )
        self._complaints: list[str] = []
        self._requests: list[str] = []
        self._page.on("console", lambda message: self._complaints.append(message.text))
        self._page.on("pageerror", lambda error: self._complaints.append(str(error)))
        self._page.on("request", lambda request: self._requests.append(request.url))

    def go(self, url: str) -> Self:
        """Open a page and wait until it has loaded."""
        self._page.goto(url)
        return self

    def run(self, expression: str) -> Any:  # noqa: ANN401 - of any type
        """The value of a JavaScript expression; promises are awaited."""
        return self._page.evaluate(expression)

    def type(self, text: str) -> None:
        """Type into the element that has the focus."""
        self._page.keyboard.insert_text(text)

    def click(self, selector: str) -> None:
        """Click on the middle of the first element that matches, as a mouse does."""
        self._page.locator(selector).first.click()

    def on_paper(self) -> None:
        """Emulate print media from now on instead of a screen."""
        self._page.emulate_media(media="print")

    def complaints(self) -> list[str]:
        """What the page has written to its console, its exceptions, and the requests that were refused."""
        self.run("0")  # the answer comes after all earlier messages
        return self._complaints

    def requests(self) -> list[str]:
        """The URLs that the page has requested."""
        return self._requests

    def picture(self, height: float | None = None) -> bytes:
        """The page as PNG: the whole of it, or down to ``height`` and a margin below."""
        width, whole = self.run("(e => [e.scrollWidth, e.scrollHeight])(document.documentElement)")
        shown = whole if height is None else min(whole, height + _MARGIN)
        return self._page.screenshot(full_page=True, clip={"x": 0, "y": 0, "width": width, "height": shown})

    def pdf(self) -> bytes:
        """The page as it is printed."""
        return self._page.pdf(prefer_css_page_size=True)
