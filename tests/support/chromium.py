"""A headless Chromium with pages that the tests made, driven by Playwright.

Playwright's own browsers are downloads; what is used is the machine's.
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
    "The report is tested in a headless Chromium, and none is here. Install one (Debian, Ubuntu: "
    "apt-get install chromium-headless-shell, or chromium), or name its program in COPILOT_SERVER_CHROMIUM."
)
_MARGIN = 12.0


def find_chromium() -> str:
    """The program of a Chromium on this machine.

    Raises:
        RuntimeError: there is none; saying what to install.
    """
    for name in (os.environ.get("COPILOT_SERVER_CHROMIUM", ""), *NAMES):
        found = shutil.which(name) if name else None
        if found is not None:
            return found
    raise RuntimeError(REMEDY)


@contextmanager
def open_browser() -> Iterator[Browser]:
    """Start a Chromium with a profile that is thrown away.

    It gets only pages that the tests made; as root, and in containers, its own sandbox does not start.

    Raises:
        RuntimeError: there is no Chromium here.
    """
    program = find_chromium()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, chromium_sandbox=False)
        yield browser
        browser.close()


class Tab:
    """A page on a screen of its own: so many CSS pixels, each ``scale`` real ones wide; light or dark."""

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

    def run(self, expression: str) -> Any:  # noqa: ANN401 - whatever the expression is
        """The value of an expression in JavaScript, promises awaited."""
        return self._page.evaluate(expression)

    def type(self, text: str) -> None:
        """Type into what has the focus."""
        self._page.keyboard.insert_text(text)

    def click(self, selector: str) -> None:
        """Click on the middle of the first such element, as a mouse does."""
        self._page.locator(selector).first.click()

    def on_paper(self) -> None:
        """Be paper from now on, and no screen."""
        self._page.emulate_media(media="print")

    def complaints(self) -> list[str]:
        """What the page has said on its console, thrown, or been refused."""
        self.run("0")  # an answer comes after what was said before it
        return self._complaints

    def requests(self) -> list[str]:
        """The addresses that the page has asked for."""
        return self._requests

    def picture(self, height: float | None = None) -> bytes:
        """The page as PNG: all of it, or down to ``height`` and a margin below."""
        width, whole = self.run("(e => [e.scrollWidth, e.scrollHeight])(document.documentElement)")
        shown = whole if height is None else min(whole, height + _MARGIN)
        return self._page.screenshot(full_page=True, clip={"x": 0, "y": 0, "width": width, "height": shown})

    def pdf(self) -> bytes:
        """The page on paper."""
        return self._page.pdf(prefer_css_page_size=True)
