"""The sources for completion plugins, the lualine component, and the plugin as `vim.pack` installs it.

The completion plugins and lualine are stand-ins (see neovim_menus.py) unless `COPILOT_SERVER_BLINK`,
`COPILOT_SERVER_CMP` and `COPILOT_SERVER_LUALINE` name checkouts of the real ones. `vim.pack` installs from
the repository that scripts/neovim.py lays out.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts import neovim as mirror
from tests.editors import neovim_menus
from tests.editors.neovim import PLUGIN, Neovim, find_neovim
from tests.editors.neovim_plugin import wait_for_ghost, wait_until_attached

pytestmark = [pytest.mark.editors, pytest.mark.model]

TYPED = 'def fibonacci(n: int) -> int:<CR>"""The n-th Fibonacci number, recursively."""<CR>if n'
BEFORE = 'def fibonacci(n: int) -> int:\n    """The n-th Fibonacci number, recursively."""\n    if '
METHOD = "textDocument/inlineCompletion"

#: Keeps which requests were sent, answered and cancelled.
WATCH = """
requests = {}
vim.api.nvim_create_autocmd('LspRequest', {
  callback = function(event)
    local request = event.data.request
    table.insert(requests, request.type .. ' ' .. request.method)
  end,
})
"""
#: Requests twice at the cursor, as the plugin does; keeps the answers and how many requests were sent.
ASK = """
answers, cancels = {}, {}
local before = #requests
local at = require('copilot_server.item').cursor()
local client = require('copilot_server.server').client(at.bufnr)
for number = 1, 2 do
  cancels[number] = require('copilot_server.shared').ask(client, at, 2, function(err, result)
    table.insert(answers, { number = number, error = err, result = result })
  end)
end
made = #requests - before
"""


def install(folder: Path) -> str:
    """Make the mirror's repository; return the Lua of the README that installs it, with its address."""
    repository = folder / mirror.MIRROR
    mirror.write(repository)
    git = ["git", "-C", str(repository), "-c", "user.name=n", "-c", "user.email=e@example.com"]
    for arguments in (["init", "-q", "-b", "main"], ["add", "."], ["commit", "-q", "-m", "0"]):
        subprocess.run([*git, *arguments], check=True)
    readme = (PLUGIN / "README.md").read_text("utf-8")
    (shown,) = re.findall(r"```lua\n(vim\.pack\.add.*?)```", readme, re.DOTALL)
    address = f"https://github.com/{mirror.OWNER}/{mirror.MIRROR}"
    assert address in shown
    return shown.replace(address, repository.as_uri()).replace("})\n", "}, { confirm = false })\n", 1)


@pytest.fixture(scope="module")
def with_menus(shared: Neovim) -> Iterator[Neovim]:
    """The shared Neovim with the completion plugins and lualine, which are off in the tests of others."""
    shared.lua(WATCH + neovim_menus.SETUP)
    yield shared
    shared.lua("vim.api.nvim_create_augroup('copilot_server_lualine', {})")  # which empties it
    shared.lua("active, vim.o.statusline, vim.o.laststatus = nil, '', 1")


@pytest.fixture
def neovim(with_menus: Neovim, neovim: Neovim) -> Iterator[Neovim]:
    """A Neovim with an empty Python file, in normal mode, whose menus are all off."""
    with_menus.lua("active, requests = nil, {}")
    yield neovim
    neovim.lua("active = nil")


def entries(neovim: Neovim) -> list[dict[str, str]]:
    return list(neovim.lua("return menu().entries()"))


def wait_for_entry(neovim: Neovim) -> dict[str, str]:
    neovim.wait(lambda: entries(neovim), "an entry in the menu")
    return entries(neovim)[0]


def count(neovim: Neovim, request: str) -> int:
    wanted = "local wanted = ...; return #vim.tbl_filter(function(one) return one == wanted end, requests)"
    return int(neovim.lua(wanted, request))


def test_vim_pack_installs_the_repository_as_the_readme_says(tmp_path: Path):
    options = "vim.g.copilot_server = { ghost_text = false, menu_source = true }\n"
    with Neovim(find_neovim("0.12"), tmp_path, options + install(tmp_path)) as neovim:
        # While vim.pack installs, Neovim answers already, but detects no filetypes yet.
        neovim.wait(lambda: neovim.lua("return vim.v.vim_did_enter") == 1, "the plugin to be installed")
        (found,) = neovim.request("nvim_get_runtime_file", "lsp/copilot_server.lua", True)
        assert f"pack/core/opt/{mirror.MIRROR}/" in found
        neovim.command("help copilot_server | helpclose")  # vim.pack makes the tags
        neovim.open("main.py")
        wait_until_attached(neovim)
        # With a source there is no need of ordinary completion, which would show each suggestion twice.
        capabilities = neovim.lua("return vim.lsp.get_clients({ bufnr = 0 })[1].server_capabilities")
        assert "inlineCompletionProvider" in capabilities
        assert "completionProvider" not in capabilities


@pytest.mark.parametrize("plugin", ["blink", "cmp"])
class TestSources:
    def test_a_suggestion_is_an_entry_that_is_inserted_and_counted(self, neovim: Neovim, plugin: str):
        neovim.lua("active = ...", plugin)
        neovim.type("i" + TYPED)
        entry = wait_for_entry(neovim)
        assert entry["text"].startswith("n")
        assert entry["documentation"] == f"```python\n{entry['text']}\n```"
        assert entry["label"] == entry["text"].split("\n")[0].strip()
        assert neovim.text() == BEFORE + "n"
        neovim.lua("menu().accept()")
        neovim.wait(lambda: neovim.text() == BEFORE + entry["text"], "the text")
        row, col = neovim.cursor()
        assert (row, col) == (len(neovim.lines()), len(neovim.lines()[-1]))
        neovim.wait(lambda: count(neovim, "complete workspace/executeCommand") == 1, "the item's command")

    def test_what_does_not_fit_what_is_typed_is_not_offered(self, neovim: Neovim, plugin: str):
        neovim.lua("active = ...", plugin)
        neovim.type("i" + TYPED)
        wait_for_entry(neovim)
        neovim.type("§")
        neovim.wait(lambda: not entries(neovim), "an empty menu")

    def test_where_suggestions_are_off_there_is_no_entry(self, neovim: Neovim, plugin: str):
        neovim.lua("active = ...", plugin)
        neovim.command("CopilotServer disable buffer")
        neovim.type("i" + TYPED)
        neovim.wait(lambda: neovim.text() == BEFORE + "n", "the text")
        assert not entries(neovim)
        assert count(neovim, f"pending {METHOD}") == 0


class TestRequests:
    """Two parts of Neovim ask at one cursor."""

    def test_one_request_answers_both(self, neovim: Neovim):
        neovim.type("i" + TYPED)
        neovim.lua(ASK)
        neovim.wait(lambda: neovim.lua("return #answers") == 2, "both answers")
        first, second = neovim.lua("return answers")
        assert "error" not in first
        assert first["result"] == second["result"]
        assert neovim.lua("return made") <= 1  # the ghost text may have made it before

    def test_ghost_text_and_a_menu_both_have_the_suggestion(self, neovim: Neovim):
        """The server answers only the last request for a document: of two, one would be left without."""
        neovim.type("i" + TYPED)
        neovim.lua("""
          require('copilot_server.suggestion').refresh()
          require('copilot_server.sources.ask').entries(2, 0, function(found) entries = found end)
        """)
        offered = wait_for_ghost(neovim)
        neovim.wait(lambda: neovim.lua("return entries"), "the menu's answer")
        assert neovim.lua("return entries[1].textEdit.newText").endswith(offered)

    def test_it_is_cancelled_once_nobody_waits(self, neovim: Neovim):
        neovim.type("i" + TYPED)
        neovim.lua(ASK + "cancels[1]()")
        neovim.wait(lambda: neovim.lua("return #answers") == 1, "the other's answer")
        assert neovim.lua("return answers[1].number") == 2
        assert count(neovim, f"cancel {METHOD}") == 0
        neovim.lua(ASK + "cancels[1](); cancels[2](); cancels[2]()")
        neovim.wait(lambda: count(neovim, f"cancel {METHOD}") == 1, "the cancellation")

    def test_leaving_insert_mode_cancels_the_menus_request(self, neovim: Neovim):
        neovim.type("i" + TYPED)
        # At once, before the answer can come.
        neovim.lua("""
          require('copilot_server.sources.ask').entries(2, 0, function() error('it was cancelled') end)
          vim.api.nvim_exec_autocmds('InsertLeave', {})
        """)
        neovim.wait(lambda: count(neovim, f"cancel {METHOD}") == 1, "the cancellation")


class TestEntries:
    """Which entry a suggestion becomes; `word_col` is where the word begins that the plugin filters by."""

    MAKE = """
      local suggestion, word_col = ...
      suggestion.bufnr, suggestion.client_id = vim.api.nvim_get_current_buf(), 1
      return require('copilot_server.sources.menu_item').entries(suggestion, word_col)
    """

    def entries(
        self, neovim: Neovim, before: str, text: str, *, start: int, replaced: str = ""
    ) -> list[dict]:
        item = {"raw": {"insertText": text}, "text": text, "start_col": start, "replaced": replaced}
        return list(neovim.lua(self.MAKE, {"row": 3, "before": before, "items": [item]}, len(before) - 2))

    def test_it_has_the_word_that_is_typed_and_replaces_what_the_suggestion_replaces(self, neovim: Neovim):
        (entry,) = self.entries(neovim, "x = fo", "o(1)", start=6, replaced=")")
        assert entry["textEdit"] == {
            "newText": "foo(1)",
            "range": {"start": {"line": 3, "character": 4}, "end": {"line": 3, "character": 7}},
        }
        assert (entry["label"], entry["filterText"]) == ("foo(1)", "foo")

    def test_a_suggestion_that_begins_before_the_word_adds_only_what_is_not_typed(self, neovim: Neovim):
        (entry,) = self.entries(neovim, "x = fo", "x = foo\n    y", start=0)
        assert entry["textEdit"]["newText"] == "foo\n    y"
        assert entry["labelDetails"] == {"description": "2 lines"}

    @pytest.mark.parametrize("text", ["x = ba", "x = fo"])
    def test_one_that_disagrees_or_adds_nothing_is_none(self, neovim: Neovim, text: str):
        assert self.entries(neovim, "x = fo", text, start=0) == []
        assert self.entries(neovim, "x = fo", text.replace("ba", "fo") + "o", start=0)

    def test_no_line_of_it_ends_the_block_of_code_that_shows_it(self, neovim: Neovim):
        (entry,) = self.entries(neovim, "fo", "o\n````\n<script>", start=2)
        assert entry["documentation"]["value"].startswith("`````python\nfoo\n````\n<script>\n`````")


class TestLualine:
    STATUS = """
      local client = require('copilot_server.server').client()
      require('copilot_server.status').take(client.id, ...)
    """

    def shown(self, neovim: Neovim) -> str:
        found = re.search(r"status: *(.*?) *$", neovim.screen.text(), re.MULTILINE)
        return found.group(1) if found else ""

    def test_an_icon_follows_the_status(self, neovim: Neovim):
        neovim.wait(lambda: self.shown(neovim) == "●", "ready")
        neovim.command("CopilotServer disable buffer")
        neovim.wait(lambda: self.shown(neovim) == "○", "off")
        neovim.command("CopilotServer enable buffer")
        neovim.wait(lambda: self.shown(neovim) == "●", "ready again")

    def test_a_spinner_turns_while_the_server_is_at_work(self, neovim: Neovim):
        neovim.wait(lambda: self.shown(neovim) == "●", "ready")
        neovim.lua(self.STATUS, {"kind": "Normal", "busy": True, "state": "loading", "percent": 42})
        seen: set[str] = set()
        neovim.wait(lambda: seen.add(self.shown(neovim)) or len(seen - {"●"}) > 2, "several frames")
        assert all(frame.endswith(" loading 42%") for frame in seen - {"●"})
        neovim.lua(self.STATUS, {"kind": "Error", "busy": False, "state": "error"})
        neovim.wait(lambda: self.shown(neovim) == "▲ error", "the error")
        neovim.lua(self.STATUS, {"kind": "Normal", "busy": False, "state": "off", "reason": "snoozed"})
        neovim.lua(self.STATUS, {"kind": "Normal", "busy": False, "state": "ready"})
        neovim.wait(lambda: self.shown(neovim) == "●", "ready")
