"""What the tests of the Neovim plugin share: its configuration, and what they type and wait for."""

from __future__ import annotations

import re

import psutil

from tests.editors.neovim import PLUGIN, ROOT, Neovim
from tests.editors.neovim_screen import GHOST
from tests.support.processes import command_line

FIBONACCI = 'def fibonacci(n: int) -> int:<CR>"""The n-th Fibonacci number, recursively."""<CR>'
BEFORE = 'def fibonacci(n: int) -> int:\n    """The n-th Fibonacci number, recursively."""\n    '


#: Counts the answers to requests for suggestions.
COUNT_ANSWERS = """
vim.g.answers = 0
vim.api.nvim_create_autocmd('LspRequest', {
  callback = function(event)
    local request = event.data.request
    if request.type == 'complete' and request.method == 'textDocument/inlineCompletion' then
      vim.g.answers = vim.g.answers + 1
    end
  end,
})
"""


def _shown_in_the_readme() -> str:
    readme = (PLUGIN / "README.md").read_text("utf-8")
    return re.findall(r"```lua\n(.*?)```", readme, re.DOTALL)[0].replace("~/copilot-server", str(ROOT))


#: The whole configuration of a user, and the colour by which the tests recognize ghost text.
INIT = f"{_shown_in_the_readme()}\nvim.api.nvim_set_hl(0, 'CopilotServerSuggestion', {{ fg = {GHOST} }})\n"


def is_attached(neovim: Neovim) -> bool:
    return bool(neovim.lua("return #vim.lsp.get_clients({ name = 'copilot_server', bufnr = 0 }) > 0"))


def wait_until_attached(neovim: Neovim) -> None:
    neovim.wait(lambda: is_attached(neovim), "the server to attach")


def wait_for_ghost(neovim: Neovim) -> str:
    """The ghost text, once there is some and the screen agrees with the plugin about it."""
    neovim.wait(lambda: neovim.screen.ghost() and suggestion(neovim), "ghost text")
    return suggestion(neovim)


def suggestion(neovim: Neovim) -> str:
    return neovim.lua("return require('copilot_server.suggestion').visible_text()") or ""


def assert_shown(neovim: Neovim, text: str) -> None:
    """Wait until the screen shows this ghost text, except for white space at the ends of lines."""
    wanted = [line for line in text.split("\n") if line.strip()]
    neovim.wait(lambda: same_lines(neovim.screen.ghost().split("\n"), wanted), f"ghost text {text!r}")


def same_lines(shown: list[str], wanted: list[str]) -> bool:
    return [line.strip() for line in shown] == [line.strip() for line in wanted]


def assert_nothing_shown(neovim: Neovim) -> None:
    assert suggestion(neovim) == ""
    neovim.wait(lambda: neovim.screen.ghost() == "", "no ghost text")


def server_pids(neovim: Neovim) -> list[int]:
    children = psutil.Process(neovim.pid).children()
    return [child.pid for child in children if "copilot-server" in " ".join(command_line(child))]


#: Collects the positions that the plugin reports.
RECORD_CURSOR = """
_G.reported = {}
local server = require('copilot_server.server')
local send = server.send
server.send = function(client, method, params)
  if method == 'copilotServer/didMoveCursor' then
    local name = vim.fs.basename(vim.uri_to_fname(params.textDocument.uri))
    table.insert(_G.reported, { name, params.position.line, params.position.character })
  end
  send(client, method, params)
end
"""


def wait_for_report(neovim: Neovim, name: str, line: int, character: int) -> None:
    """Wait until this was the last position reported."""
    last = [name, line, character]
    neovim.wait(lambda: (neovim.lua("return _G.reported") or [None])[-1] == last, f"a report of {last}")


def message_of(neovim: Neovim) -> str:
    return str(neovim.lua("return require('copilot_server').status().message"))


def wait_for_statusline(neovim: Neovim, wanted: str) -> None:
    statusline = "return require('copilot_server').statusline()"
    neovim.wait(lambda: neovim.lua(statusline) == wanted, wanted)
