"""Makes docs/neovim-suggestion.webp: the screen of a real Neovim with the plugin, server and model.

python -m tests.editors.neovim_recording
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from playwright.sync_api import Browser

from tests.editors.neovim import PLUGIN, ROOT, Neovim, find_neovim
from tests.editors.recording import END_MS, LINE_MS, SUGGESTION_MS, Recording
from tests.support.chromium import open_browser

RECORDING = ROOT / "docs" / "neovim-suggestion.webp"

INIT = f"""
vim.opt.runtimepath:prepend({str(PLUGIN)!r})
vim.lsp.enable('copilot_server')
vim.o.number = true
vim.o.showmode = false
vim.o.ruler = false
vim.o.cmdheight = 0
vim.o.laststatus = 2
vim.o.statusline = " %t %m%=%{{v:lua.require'copilot_server'.statusline()}} "
vim.opt.fillchars = {{ eob = ' ' }}
"""

BEGUN = "import csv\nfrom pathlib import Path\n\n\n"

SIGNATURE = "def read_rows(path: Path) -> list[dict[str, str]]:\n"
DOCSTRING = '"""Return the rows of a CSV file, by their column names."""\n'

PAGE = """<!doctype html><meta charset="utf-8"><style>
body { margin: 0; width: max-content; background: #2c2e33; }
header { color: #9b9ea4; padding: 7px 14px; font: 13px sans-serif; text-align: center; }
header i { float: left; width: 11px; height: 11px; margin: 2px 7px 0 0; }
header i { border-radius: 6px; background: #565960; }
pre { margin: 0; padding: 10px 12px; background: #%06x; font: 15px/1.4 'DejaVu Sans Mono', monospace; }
.cursor { box-shadow: inset 2px 0 #e0e2ea; }
</style><header><i></i><i></i><i></i>tables.py</header><pre>%s</pre>
"""


class Screens:
    """Pictures of a Neovim's screen, which a browser draws."""

    def __init__(self, neovim: Neovim, browser: Browser) -> None:
        self._neovim = neovim
        self._page = browser.new_page(viewport={"width": 500, "height": 100}, device_scale_factor=2.0)

    def take(self) -> bytes:
        """The screen as PNG, as it is once Neovim has drawn all that it has to draw."""
        self._neovim.command("redraw")
        screen = self._neovim.screen
        self._page.set_content(PAGE % (screen.colours[1], screen.html()))
        return self._page.locator("body").screenshot()


def record(neovim: Neovim, screens: Screens) -> None:
    """Record how a function is typed, its body suggested and accepted."""
    neovim.open("tables.py", BEGUN)
    neovim.wait(lambda: "copilot: ready" in neovim.screen.text(), "the statusline")
    recording = Recording(screens.take)
    neovim.type("Go")
    recording.frame(LINE_MS)
    recording.type(SIGNATURE + DOCSTRING, lambda key: neovim.type({"\n": "<CR>", "<": "<lt>"}.get(key, key)))
    visible = "return require('copilot_server.suggestion').visible_text() or ''"
    neovim.wait(lambda: "\n" in neovim.lua(visible), "ghost text")
    neovim.wait(lambda: "copilot: ready" in neovim.screen.text(), "the statusline")
    recording.frame(SUGGESTION_MS)
    neovim.type("<Tab>")
    neovim.wait(lambda: not neovim.lua(visible), "the suggestion accepted")
    recording.frame(END_MS)
    recording.write(RECORDING)


def main() -> None:
    """Make the recording."""
    with (
        tempfile.TemporaryDirectory() as folder,
        open_browser() as browser,
        Neovim(find_neovim("0.12"), Path(folder), INIT, width=70, height=12) as neovim,
    ):
        record(neovim, Screens(neovim, browser))


if __name__ == "__main__":
    main()
