"""Makes docs/neovim-ghost-text.png: the screen of a real Neovim with the plugin, server and model.

python -m tests.editors.neovim_picture
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from tests.editors.neovim import PLUGIN, ROOT, Neovim, find_neovim
from tests.support.chromium import Tab, open_browser

PICTURE = ROOT / "docs" / "neovim-ghost-text.png"

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

BEGUN = '''"""Words of a text."""

from collections import Counter


'''

KEYS = (
    "Godef most_common_words(text: str, count: int) -> list[str]:<CR>"
    '"""The most common words of a text, most common first."""<CR>'
)

PAGE = """<!doctype html><meta charset="utf-8"><style>
body { margin: 0; padding: 24px; width: max-content; background: #e8e6e3; }
main { border-radius: 8px; overflow: hidden; box-shadow: 0 4px 18px #0004; }
header { background: #2c2e33; color: #9b9ea4; padding: 7px 14px; font: 13px sans-serif; text-align: center; }
header i { float: left; width: 11px; height: 11px; margin: 2px 7px 0 0; }
header i { border-radius: 6px; background: #565960; }
pre { margin: 0; padding: 10px 12px; background: #%06x; font: 15px/1.4 'DejaVu Sans Mono', monospace; }
.cursor { box-shadow: inset 2px 0 #e0e2ea; }
</style><main><header><i></i><i></i><i></i>words.py</header><pre>%s</pre></main>
"""


def take_screen() -> str:
    """The page with Neovim's screen, once there is ghost text of several lines in it."""
    with (
        tempfile.TemporaryDirectory() as folder,
        Neovim(find_neovim("0.12"), Path(folder), INIT, width=84, height=17) as neovim,
    ):
        neovim.open("words.py", BEGUN)
        neovim.type(KEYS)
        visible = "return require('copilot_server.suggestion').visible_text() or ''"
        neovim.wait(lambda: "\n" in neovim.lua(visible), "ghost text")
        neovim.wait(lambda: "copilot: ready" in neovim.screen.text(), "the statusline")
        return PAGE % (neovim.screen.colours[1], neovim.screen.html())


def main() -> None:
    """Write the picture."""
    page = take_screen()
    with open_browser() as browser, tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "page.html")
        path.write_text(page, "utf-8")
        tab = Tab(browser, width=500, height=100, scale=2.0).go(path.as_uri())
        PICTURE.write_bytes(tab.picture())


if __name__ == "__main__":
    main()
