"""Takes a picture of an HTML report for the README: python -m benchmarks.report_picture out/report.html.

It needs a headless Chromium, as the tests of the HTML do.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from tests.support.chromium import Tab, open_browser

PICTURE = Path(__file__).parent / "results" / "report.png"


def main() -> None:
    """Take the picture of the top of the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("page", type=Path, help="report.html of a run")
    parser.add_argument("picture", type=Path, nargs="?", default=PICTURE)
    parser.add_argument("--width", type=int, default=1120)
    parser.add_argument(
        "--until",
        default="#by-k, #published-1",
        help="a selector; the last match ends the picture",
    )
    parser.add_argument("--scale", type=float, default=1.5, help="the number of pixels for each CSS pixel")
    parser.add_argument("--dark", action="store_true")
    asked = parser.parse_args()
    with open_browser() as browser:
        screen = Tab(browser, width=asked.width, dark=asked.dark, scale=asked.scale)
        page = screen.go(asked.page.resolve().as_uri())
        ends = f"[...document.querySelectorAll({asked.until!r})].map(e => e.getBoundingClientRect().bottom)"
        asked.picture.write_bytes(page.picture(max(page.run(ends), default=None)))
    print(asked.picture)


if __name__ == "__main__":
    main()
