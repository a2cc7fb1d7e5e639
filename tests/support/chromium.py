"""A headless Chromium, driven over the DevTools protocol by the pipe on its descriptors 3 and 4.

https://chromedevtools.github.io/devtools-protocol/ says what it understands.
"""

from __future__ import annotations

import base64
import fcntl
import json
import os
import select
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Self

NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
REMEDY = (
    "The report is tested in a headless Chromium, and none is here. Install one (Debian, Ubuntu: "
    "apt-get install chromium-headless-shell, or chromium), or name its program in COPILOT_SERVER_CHROMIUM."
)
_TIMEOUT_S = 60.0
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


class Browser:
    """A running Chromium. ``open_browser`` starts one and ends it."""

    def __init__(self, to_browser: int, from_browser: int) -> None:
        self._to_browser, self._from_browser = to_browser, from_browser
        self._buffer = bytearray()
        self._last_id = 0
        self.events: list[dict[str, Any]] = []

    def call(self, method: str, session: str | None = None, **parameters: object) -> dict[str, Any]:
        """Send a command and wait for its answer; events that come before it are kept."""
        self._last_id += 1
        message: dict[str, Any] = {"id": self._last_id, "method": method, "params": parameters}
        if session is not None:
            message["sessionId"] = session
        data = memoryview(json.dumps(message).encode() + b"\0")
        while data:
            data = data[os.write(self._to_browser, data) :]
        answer = self._until(lambda said: said.get("id") == message["id"])
        if "error" in answer:
            raise RuntimeError(f"{method}: {answer['error']}")
        result: dict[str, Any] = answer["result"]
        return result

    def wait_for(self, method: str, session: str) -> dict[str, Any]:
        """Wait for an event that has not come yet."""
        return self._until(lambda said: said.get("method") == method and said.get("sessionId") == session)

    def _until(self, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        while True:
            said = self._read()
            if "method" in said:
                self.events.append(said)
            if wanted(said):
                return said

    def _read(self) -> dict[str, Any]:
        searched = 0
        while (end := self._buffer.find(b"\0", searched)) < 0:
            searched = len(self._buffer)
            if not select.select([self._from_browser], [], [], _TIMEOUT_S)[0]:
                raise TimeoutError("Chromium does not answer")
            data = os.read(self._from_browser, 1 << 20)
            if not data:
                raise RuntimeError("Chromium has ended")
            self._buffer += data
        said: dict[str, Any] = json.loads(self._buffer[:end])
        del self._buffer[: end + 1]
        return said


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
        self._browser = browser
        target = browser.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = browser.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=scale,
            mobile=width < 500,
        )
        self.media("screen", dark=dark)

    def call(self, method: str, **parameters: object) -> dict[str, Any]:
        """Send a command to this page."""
        return self._browser.call(method, self._session, **parameters)

    def media(self, kind: str, *, dark: bool = False) -> None:
        """Be paper (``print``) or a screen, light or dark."""
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        still = {"name": "prefers-reduced-motion", "value": "reduce"}
        self.call("Emulation.setEmulatedMedia", media=kind, features=[scheme, still])

    def go(self, url: str) -> Self:
        """Open a page and wait until it has loaded."""
        self.call("Page.navigate", url=url)
        self._browser.wait_for("Page.loadEventFired", self._session)
        return self

    def run(self, expression: str) -> Any:  # noqa: ANN401 - whatever the expression is
        """The value of an expression in JavaScript, promises awaited."""
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in answer:
            raise RuntimeError(str(answer["exceptionDetails"]))
        return answer["result"].get("value")

    def type(self, text: str) -> None:
        """Type into what has the focus."""
        self.call("Input.insertText", text=text)

    def click(self, selector: str) -> None:
        """Click on the middle of an element, as a mouse does."""
        place = self.run(
            f"(() => {{ const e = document.querySelector({json.dumps(selector)});"
            "e.scrollIntoView({block: 'center'}); const r = e.getBoundingClientRect();"
            "return [r.x + r.width / 2, r.y + r.height / 2]; })()"
        )
        for kind in ("mousePressed", "mouseReleased"):
            self.call(
                "Input.dispatchMouseEvent", type=kind, x=place[0], y=place[1], button="left", clickCount=1
            )

    def complaints(self) -> list[str]:
        """What the page has said on its console, thrown, or been refused."""
        self.run("0")  # an answer comes after what was said before it
        texts = []
        for event in self._browser.events:
            if event.get("sessionId") == self._session:
                texts += _complaint(event["method"], event["params"])
        return texts

    def requests(self) -> list[str]:
        """The addresses that the page has asked for."""
        return [
            event["params"]["request"]["url"]
            for event in self._browser.events
            if event.get("sessionId") == self._session and event["method"] == "Network.requestWillBeSent"
        ]

    def picture(self, height: float | None = None) -> bytes:
        """The page as PNG: all of it, or down to ``height`` and a margin below."""
        size = self.call("Page.getLayoutMetrics")["cssContentSize"]
        shown = size["height"] if height is None else min(size["height"], height + _MARGIN)
        clip = {"x": 0, "y": 0, "width": size["width"], "height": shown, "scale": 1}
        answer = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=True, clip=clip)
        return base64.b64decode(answer["data"])

    def pdf(self) -> bytes:
        """The page on paper."""
        self.media("print")
        return base64.b64decode(self.call("Page.printToPDF", preferCSSPageSize=True)["data"])


def _complaint(method: str, parameters: dict[str, Any]) -> list[str]:
    if method == "Runtime.consoleAPICalled":
        return [" ".join(str(one.get("value", one.get("description"))) for one in parameters["args"])]
    if method == "Runtime.exceptionThrown":
        return [str(parameters["exceptionDetails"])]
    if method == "Log.entryAdded":
        return [parameters["entry"]["text"]]
    return []


@contextmanager
def open_browser() -> Iterator[Browser]:
    """Start a Chromium with a profile that is thrown away.

    It gets only pages that the tests made; as root, and in containers, its own sandbox does not start.

    Raises:
        RuntimeError: there is no Chromium here.
    """
    program = find_chromium()
    with tempfile.TemporaryDirectory(prefix="chromium-", ignore_cleanup_errors=True) as profile:
        command = [
            program,
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--hide-scrollbars",
            "--no-first-run",
            "--remote-debugging-pipe",
            f"--user-data-dir={profile}",
        ]
        for_browser, to_browser = map(_high, os.pipe())
        from_browser, of_browser = map(_high, os.pipe())
        quiet = [(os.POSIX_SPAWN_OPEN, fd, os.devnull, os.O_RDWR, 0) for fd in (0, 1, 2)]
        pipes = [(os.POSIX_SPAWN_DUP2, for_browser, 3), (os.POSIX_SPAWN_DUP2, of_browser, 4)]
        process = os.posix_spawn(program, command, os.environ, file_actions=[*quiet, *pipes])
        os.close(for_browser)
        os.close(of_browser)
        try:
            yield Browser(to_browser, from_browser)
        finally:
            # It ends by itself when nobody is left to talk to.
            os.close(to_browser)
            os.close(from_browser)
            os.waitpid(process, 0)


def _high(descriptor: int) -> int:
    """The same pipe by a number above those that Chromium is given; only they outlive its start."""
    high = fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, 10)
    os.close(descriptor)
    return high
