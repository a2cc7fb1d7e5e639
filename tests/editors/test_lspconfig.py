"""Neovim 0.12 as a client of Copilot's: nvim-lspconfig's `copilot` configuration, with another command.

There is no package of nvim-lspconfig, so what its `lsp/copilot.lua` sends and does with the answers is
reproduced here. If `COPILOT_SERVER_LSPCONFIG` names a checkout of it, the tests run its own file.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.editors.neovim import Neovim, find_neovim
from tests.editors.neovim_screen import GHOST

pytestmark = [pytest.mark.editors, pytest.mark.model]

TYPED = 'def fibonacci(n: int) -> int:<CR>"""The n-th Fibonacci number, recursively."""<CR>'
BEFORE = 'def fibonacci(n: int) -> int:\n    """The n-th Fibonacci number, recursively."""\n    '

#: The same settings, options, flag and commands; the answers to signIn and signOut are kept for the tests.
AS_DOCUMENTED = """
local me = { name = 'Neovim', version = tostring(vim.version()) }
local function ask(client, method, tell)
  client:request(method, vim.empty_dict(), function(err, result)
    vim.notify(err and err.message or tell(result), err and vim.log.levels.ERROR or vim.log.levels.INFO)
  end)
end
vim.lsp.config('copilot', {
  root_markers = { '.git' },
  init_options = { editorInfo = me, editorPluginInfo = me },
  settings = { telemetry = { telemetryLevel = 'all' } },
  on_attach = function(client, bufnr)
    vim.api.nvim_buf_create_user_command(bufnr, 'LspCopilotSignIn', function()
      ask(client, 'signIn', function(result)
        assert(not result.command and result.status ~= 'PromptUserDeviceFlow', 'a browser would be opened')
        return result.status == 'AlreadySignedIn' and 'Already signed in as ' .. result.user .. '.' or ''
      end)
    end, {})
    vim.api.nvim_buf_create_user_command(bufnr, 'LspCopilotSignOut', function()
      ask(client, 'signOut', function(result)
        return result.status == 'NotSignedIn' and 'Not signed in.' or ''
      end)
    end, {})
  end,
})
"""

#: What nvim-lspconfig's documentation tells its users to add, and the command.
INIT = f"""
vim.lsp.config('copilot', {{ cmd = {{ 'copilot-server', '--stdio' }} }})
vim.lsp.enable('copilot')
vim.api.nvim_create_autocmd('LspAttach', {{
  callback = function(args)
    vim.lsp.inline_completion.enable(true, {{ bufnr = args.buf }})
    vim.keymap.set('i', '<C-F>', vim.lsp.inline_completion.get, {{ buffer = args.buf }})
    vim.keymap.set('i', '<C-G>', vim.lsp.inline_completion.select, {{ buffer = args.buf }})
  end,
}})
vim.api.nvim_set_hl(0, 'ComplHint', {{ fg = {GHOST} }})
notified = {{}}
local notify = vim.notify
vim.notify = function(message, ...)
  table.insert(notified, message)
  notify(message, ...)
end
"""


@pytest.fixture(scope="module")
def neovim(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Neovim]:
    checkout = os.environ.get("COPILOT_SERVER_LSPCONFIG")
    theirs = f"vim.opt.runtimepath:append({checkout!r})\n" if checkout else AS_DOCUMENTED
    with Neovim(find_neovim("0.12"), tmp_path_factory.mktemp("lspconfig"), theirs + INIT) as neovim:
        yield neovim


@pytest.fixture(autouse=True)
def a_new_file(neovim: Neovim) -> None:
    neovim.type("<Esc><Esc>")
    neovim.command("silent! %bwipeout!")
    neovim.open("main.py")
    neovim.wait(
        lambda: neovim.lua("return #vim.lsp.get_clients({ name = 'copilot', bufnr = 0 }) > 0"),
        "the server to attach",
    )


def wait_for_ghost(neovim: Neovim) -> str:
    """The suggestion that Neovim shows, according to Neovim itself."""
    item = """
      local shown = vim.lsp._capability.all.inline_completion.active[vim.api.nvim_get_current_buf()]
      return shown and shown.current and shown.current.insert_text or ''
    """
    neovim.wait(lambda: neovim.screen.ghost() and neovim.lua(item), "ghost text")
    return str(neovim.lua(item))


def test_ghost_text_is_shown_and_accepted(neovim: Neovim):
    neovim.type("i" + TYPED)
    offered = wait_for_ghost(neovim)
    assert neovim.screen.ghost().split("\n")[0] == offered.split("\n")[0]
    assert neovim.text() == BEFORE
    neovim.type("<C-F>")
    neovim.wait(lambda: neovim.text() == BEFORE + offered, "the text")


def test_the_server_knows_that_it_was_accepted(neovim: Neovim):
    """Neovim runs an item's command only if the server has announced it; otherwise it warns."""
    commands = (
        "return vim.lsp.get_clients({ name = 'copilot' })[1].server_capabilities.executeCommandProvider"
    )
    assert "github.copilot.didAcceptCompletionItem" in neovim.lua(commands)["commands"]
    neovim.type("i" + TYPED)
    wait_for_ghost(neovim)
    neovim.type("<C-F>")
    neovim.wait(lambda: neovim.text() != BEFORE, "the text")
    assert "does not support command" not in "\n".join(neovim.lua("return notified"))


def test_sign_in_and_out(neovim: Neovim):
    neovim.command("LspCopilotSignIn")
    neovim.wait(
        lambda: any("Already signed in as" in said for said in neovim.lua("return notified")), "signed in"
    )
    neovim.command("LspCopilotSignOut")
    neovim.wait(lambda: "Not signed in." in neovim.lua("return notified"), "not signed in")


def test_neovims_own_accept_leaves_a_key_behind_until_that_is_fixed(neovim: Neovim):
    """The twin of test_neovim.py's test of a key and an accept in one go: 0.12.4 has that defect."""
    neovim.type("i" + TYPED)
    offered = wait_for_ghost(neovim)
    neovim.type(offered[0] + "<C-F>")
    neovim.wait(lambda: len(neovim.text()) > len(BEFORE) + 1, "the text")
    mended = neovim.lua("return vim.version.ge(vim.version(), { 0, 12, 5 })")
    assert neovim.text() == BEFORE + offered + ("" if mended else offered[0])
