"""A day in Neovim: servers that stop, other windows, snippets, menus, and requests without an answer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.editors.examples import ADD, IMPOSSIBLE
from tests.editors.neovim import Neovim, find_neovim
from tests.editors.neovim_plugin import (
    BEFORE,
    COUNT_ANSWERS,
    FIBONACCI,
    INIT,
    assert_nothing_shown,
    assert_shown,
    is_attached,
    message_of,
    server_pids,
    suggestion,
    wait_for_ghost,
    wait_until_attached,
)
from tests.support.writing_engine import WritingEngine

pytestmark = [pytest.mark.editors, pytest.mark.model]

#: Keeps what the plugin sends, as method and parameters.
RECORD = """
_G.recorded = {}
local server = require('copilot_server.server')
if not _G.unrecorded then
  _G.unrecorded = { send = server.send, request = server.request }
  for name, original in pairs(_G.unrecorded) do
    server[name] = function(client, method, params, ...)
      table.insert(_G.recorded, { method, params })
      return original(client, method, params, ...)
    end
  end
end
"""

#: Keeps the requests that are cancelled.
RECORD_CANCELS = """
_G.cancelled = {}
vim.api.nvim_create_autocmd('LspRequest', {
  group = vim.api.nvim_create_augroup('test_cancels', {}),
  callback = function(event)
    if event.data.request.type == 'cancel' then
      table.insert(_G.cancelled, event.data.request.method)
    end
  end,
})
"""

#: A language server within Neovim, attached to the current buffer.
ANOTHER_SERVER = """
local function start(dispatchers)
  local closing = false
  return {
    request = function(method, _, callback)
      callback(nil, method == 'initialize' and { capabilities = {} } or vim.NIL)
      return true, 1
    end,
    notify = function(method)
      if method == 'exit' then
        closing = true
        dispatchers.on_exit(0, 0)
      end
      return true
    end,
    is_closing = function() return closing end,
    terminate = function() closing = true end,
  }
end
return vim.lsp.start({ name = 'another', cmd = start })
"""

PANEL = "textDocument/copilotPanelCompletion"


def messages(neovim: Neovim) -> str:
    return neovim.command("messages")


def status(neovim: Neovim) -> dict[str, object]:
    return dict(neovim.lua("return require('copilot_server').status()"))


def sent(neovim: Neovim, method: str) -> list[dict[str, object]]:
    """The parameters of what the plugin has sent by that method."""
    return [dict(params) for name, params in neovim.lua("return _G.recorded") if name == method]


def has_client(neovim: Neovim) -> bool:
    """Whether Neovim has a client of the server, also one that starts or ends."""
    return bool(neovim.lua("return #vim.lsp.get_clients({ name = 'copilot_server', _uninitialized = true })"))


def is_starting(neovim: Neovim) -> bool:
    """Whether there is a server that runs, or is about to, after what is scheduled has been done."""
    neovim.lua("""
      local done = false
      vim.schedule(function() vim.schedule(function() done = true end) end)
      vim.wait(60000, function() return done end, 5)
    """)
    return has_client(neovim)


def wait_until_stopped(neovim: Neovim) -> None:
    neovim.wait(lambda: not server_pids(neovim), "the end of the server")
    neovim.wait(lambda: status(neovim)["state"] == "stopped", "the plugin to notice")
    # Neovim takes note of the end some events later; one that was started again would stay.
    neovim.wait(lambda: not has_client(neovim), "the end of the client")


class TestStopping:
    @pytest.fixture(autouse=True)
    def enabled_again(self, neovim: Neovim) -> Iterator[None]:
        neovim.command("messages clear")
        yield
        neovim.lua("vim.lsp.enable('copilot_server')")

    def test_a_server_that_the_user_stops_stays_stopped(self, neovim: Neovim):
        neovim.lua("vim.lsp.get_clients({ name = 'copilot_server' })[1]:stop()")
        wait_until_stopped(neovim)
        neovim.open("other.py")
        neovim.command("CopilotServer disable buffer")
        assert not is_starting(neovim)
        assert "starting it again" not in messages(neovim)
        neovim.type("i<M-Bslash>")
        neovim.wait(lambda: "switched off in this buffer" in neovim.screen.text(), "the reason")
        neovim.open("third.py")
        neovim.type("<M-Bslash>")
        neovim.wait(lambda: "the server was stopped" in neovim.screen.text(), "the reason")
        neovim.lua("vim.lsp.enable('copilot_server')")
        wait_until_attached(neovim)

        neovim.lua("vim.lsp.enable('copilot_server', false)")
        wait_until_stopped(neovim)
        neovim.open("fourth.py")
        assert not is_starting(neovim)
        assert "starting it again" not in messages(neovim)
        neovim.command("CopilotServer restart")
        wait_until_attached(neovim)

    def test_off_everywhere_ends_the_process(self, neovim: Neovim):
        neovim.command("CopilotServer disable")
        wait_until_stopped(neovim)
        assert neovim.lua("return require('copilot_server').statusline()") == "copilot: off"
        neovim.type("i<M-Bslash>")
        neovim.wait(lambda: "switched off everywhere" in neovim.screen.text(), "the reason")
        neovim.type("<Esc>")
        neovim.command("CopilotServer enable")
        wait_until_attached(neovim)
        assert "starting it again" not in messages(neovim)

    def test_the_end_of_another_server_leaves_the_ghost_text(self, neovim: Neovim):
        another = neovim.lua(ANOTHER_SERVER)
        neovim.type("i" + FIBONACCI)
        offered = wait_for_ghost(neovim)
        neovim.lua("vim.lsp.get_client_by_id(...):stop()", another)
        neovim.wait(lambda: neovim.lua("return #vim.lsp.get_clients({ name = 'another' })") == 0, "its end")
        assert suggestion(neovim) == offered
        assert_shown(neovim, offered)
        neovim.command("CopilotServer disable buffer")
        assert_nothing_shown(neovim)


class TestProjects:
    def test_the_folder_of_a_second_project_is_added(self, neovim: Neovim):
        neovim.lua("require('copilot_server.settings').change('exclude', { '/private/' })")
        for project in ("first", "second"):
            (neovim.folder / project / ".git").mkdir(parents=True, exist_ok=True)
            neovim.open(f"{project}/public/main.py")
            wait_until_attached(neovim)
            neovim.wait(lambda: status(neovim)["state"] == "ready", "suggestions in the one")
            neovim.open(f"{project}/private/main.py")
            wait_until_attached(neovim)
            neovim.wait(lambda: status(neovim)["state"] == "off", "none in the other")
        neovim.lua("require('copilot_server.settings').change('exclude', {})")

    def test_the_status_is_about_the_document_that_has_the_focus(self, neovim: Neovim):
        neovim.open(".env", "KEY=1\n")
        wait_until_attached(neovim)
        neovim.type("o<M-Bslash>")
        neovim.wait(lambda: "This file is excluded" in str(status(neovim)["message"]), "the status")
        neovim.type("<Esc>")
        neovim.command("new")
        neovim.wait(lambda: status(neovim)["state"] == "ready", "the status without a document")
        neovim.command("close")
        neovim.wait(lambda: status(neovim)["state"] == "off", "the status of the excluded one")
        neovim.command("edit main.py")
        neovim.wait(lambda: status(neovim)["state"] == "ready", "the status of another")


class TestPanel:
    @pytest.fixture(autouse=True)
    def recorded(self, neovim: Neovim) -> None:
        neovim.lua(RECORD_CANCELS)

    @pytest.mark.parametrize("closed", ["q", ":quit<CR>"])
    def test_closing_it_cancels_its_request_and_leaves_nothing(self, neovim: Neovim, closed: str):
        neovim.type("idef shout(text):<CR><M-CR>")
        neovim.wait(lambda: neovim.lua("return vim.bo.filetype") == "copilot_server_panel", "the panel")
        neovim.type(closed)
        neovim.wait(lambda: neovim.lua("return vim.bo.filetype") == "python", "the source")
        assert neovim.lua("return _G.cancelled") == [PANEL]
        assert marks(neovim) == []

    def test_what_was_edited_meanwhile_is_not_replaced(self, neovim: Neovim):
        open_panel(neovim, "idef shout(text):<CR>print()<Left>")
        neovim.command("wincmd p")
        before = neovim.text()
        assert before == "def shout(text):\n    print()"
        neovim.type("imine<Esc>")  # between the parentheses, in what the suggestion replaces
        neovim.command("wincmd p")
        neovim.type("<CR>")
        neovim.wait(lambda: "open the panel again" in messages(neovim), "the message")
        assert neovim.text() == before.replace("()", "(mine)")
        assert marks(neovim) == []

    def test_lines_added_above_move_it(self, neovim: Neovim):
        neovim.command("messages clear")
        open_panel(neovim, "idef shout(text):<CR>print()<Left>")
        neovim.command("wincmd p")
        neovim.command("call append(0, '# mine')")
        neovim.command("wincmd p")
        neovim.type("<CR>")
        neovim.wait(lambda: neovim.lua("return vim.bo.filetype") == "python", "the source")
        assert neovim.text().startswith("# mine\ndef shout(text):\n    print(")
        assert neovim.text() != "# mine\ndef shout(text):\n    print()"
        assert marks(neovim) == []

    def test_what_passes_the_examples_comes_first_and_what_fails_says_how(self, neovim: Neovim):
        for text, mark, said in ((ADD, "✓", "1 of 1 example passes"), (IMPOSSIBLE, "✗", "got 5")):
            neovim.lua("vim.api.nvim_buf_set_lines(0, 0, -1, false, ...)", text.split("\n"))
            open_panel(neovim, "G$a")
            heads = heads_of_panel(neovim)
            assert heads[0].startswith(f"── 1 {mark} ")
            assert said in heads[0]
            neovim.type("q<Esc>")

    def test_the_statusline_says_whether_the_suggestion_passes(self, neovim: Neovim):
        neovim.lua("vim.api.nvim_buf_set_lines(0, 0, -1, false, ...)", ADD.split("\n"))
        neovim.type("G$a<M-Bslash>")
        neovim.wait(
            lambda: neovim.lua("return require('copilot_server').statusline()") == "copilot: examples pass",
            "the statusline",
        )


def wrong_unless_sampled(asked: Mapping[str, Any]) -> str:
    return "return a + b" if asked["temperature"] else "return a - b"


class TestIdle:
    @pytest.fixture
    def engine(self) -> Iterator[WritingEngine]:
        """One that is right only where it is asked for others than the most likely text."""
        with WritingEngine(wrong_unless_sampled) as engine:
            yield engine

    @pytest.fixture
    def checking(self, engine: WritingEngine, tmp_path: Path) -> Iterator[Neovim]:
        """A Neovim in which suggestions that are shown are checked while nobody types."""
        settings = f"{{ engine = '{engine.url}', verify = 'idle' }}"
        with Neovim(
            find_neovim("0.12"), tmp_path, f"vim.g.copilot_server = {{ settings = {settings} }}\n{INIT}"
        ) as neovim:
            neovim.open("main.py")
            wait_until_attached(neovim)
            yield neovim

    def test_nothing_changes_under_the_users_eyes_and_what_passes_is_there_when_asked_for(
        self, checking: Neovim, engine: WritingEngine
    ):
        checking.lua("vim.api.nvim_buf_set_lines(0, 0, -1, false, ...)", ADD.rstrip().split("\n"))
        checking.type("Go")
        assert wait_for_ghost(checking) == "return a - b"
        checking.wait(lambda: message_of(checking).endswith("another one passes."), "another one")
        assert_shown(checking, "return a - b")
        assert mark_in_status(checking) == "failed"
        # What comes now has been checked before: the engine answers no more.
        engine.is_answering.clear()
        checking.type("<M-Bslash>")
        checking.wait(lambda: suggestion(checking) == "return a + b", "the suggestion that passes")
        assert_shown(checking, "return a + b")
        checking.wait(lambda: mark_in_status(checking) == "passed", "the mark")
        checking.type("<M-CR>")
        checking.wait(lambda: heads_of_panel(checking), "the panel")
        assert "✓ 1 of 1 example passes" in heads_of_panel(checking)[0]
        assert "1 so far" in checking.screen.text()
        engine.is_answering.set()
        checking.wait(lambda: "<CR> accepts" in checking.screen.text(), "the whole panel")
        assert "✗" in heads_of_panel(checking)[-1]


def mark_in_status(neovim: Neovim) -> str:
    return str(neovim.lua("return require('copilot_server').status().examples"))


def heads_of_panel(neovim: Neovim) -> list[str]:
    """What the panel shows above each suggestion."""
    code = """
      local namespace = vim.api.nvim_create_namespace('copilot_server_panel')
      local marks = vim.api.nvim_buf_get_extmarks(0, namespace, 0, -1, { details = true })
      return vim.tbl_map(function(mark)
        return vim.iter(mark[4].virt_text):map(function(chunk) return chunk[1] end):join('')
      end, marks)
    """
    return list(neovim.lua(code))


def open_panel(neovim: Neovim, keys: str) -> None:
    """Type, and open a panel that has all its suggestions."""
    neovim.type(keys + "<M-CR>")
    neovim.wait(lambda: "<CR> accepts" in neovim.screen.text(), "suggestions in the panel")


def marks(neovim: Neovim) -> list[object]:
    """The panel's extmarks in the current buffer."""
    code = """
      local namespace = vim.api.nvim_create_namespace('copilot_server_panel')
      return vim.api.nvim_buf_get_extmarks(0, namespace, 0, -1, {})
    """
    return list(neovim.lua(code))


class TestAccepting:
    def test_the_length_of_a_part_counts_from_the_start_of_the_suggestion(self, neovim: Neovim):
        neovim.lua(RECORD)
        neovim.type("i" + FIBONACCI)
        offered = wait_for_ghost(neovim)
        neovim.type(offered[:2] + "<M-Right>")
        present = neovim.text().removeprefix(BEFORE)
        assert present.startswith(offered[:2])
        (report,) = sent(neovim, "textDocument/didPartiallyAcceptCompletion")
        assert report["acceptedLength"] == len(present)

    def test_tab_jumps_in_a_snippet_that_is_being_filled_in(self, neovim: Neovim):
        neovim.type("i")
        neovim.lua("vim.snippet.expand('$1\\n# $0')")
        neovim.type(FIBONACCI)
        offered = wait_for_ghost(neovim)
        filled = neovim.text()
        neovim.type("<Tab>")
        neovim.wait(lambda: neovim.cursor()[0] == len(filled.split("\n")), "the next field")
        assert neovim.text().rstrip() == filled.rstrip()
        assert offered.split("\n")[0] not in neovim.text()
        # The twin: the snippet is done, so that the key accepts again.
        neovim.type("<Esc>ggdGi" + FIBONACCI)
        offered = wait_for_ghost(neovim)
        neovim.type("<Tab>")
        assert neovim.text() == BEFORE + offered


#: The menus of blink.cmp and nvim-cmp, as far as the plugin looks at them.
BLINK = """
package.loaded['blink.cmp.completion.windows.menu'] = { win = { is_open = function() return _G.open end } }
function _G.change(open)
  _G.open = open
  vim.api.nvim_exec_autocmds('User', { pattern = open and 'BlinkCmpMenuOpen' or 'BlinkCmpMenuClose' })
end
"""
CMP = """
local listeners = {}
package.loaded['cmp'] = {
  core = { view = { visible = function() return _G.open end } },
  event = { on = function(_, name, listener) listeners[name] = listener end },
}
function _G.change(open)
  _G.open = open
  listeners[open and 'menu_opened' or 'menu_closed']()
end
"""
HOOKS = """
function _G.change(open)
  require('copilot_server')[open and 'hide' or 'unhide']('a test')
end
"""
FORGET_MENUS = """
_G.open = false
package.loaded['blink.cmp.completion.windows.menu'] = nil
package.loaded['cmp'] = nil
require('copilot_server').unhide('a test')
"""


class TestMenus:
    @pytest.fixture(autouse=True)
    def forgotten(self, neovim: Neovim) -> Iterator[None]:
        yield
        neovim.lua(FORGET_MENUS)

    @pytest.mark.parametrize("menu", [BLINK, CMP, HOOKS], ids=["blink.cmp", "nvim-cmp", "hooks"])
    def test_no_ghost_text_under_the_menu_of_a_plugin(self, neovim: Neovim, menu: str):
        neovim.lua(menu)
        neovim.type("i" + FIBONACCI)
        wait_for_ghost(neovim)
        neovim.lua("_G.change(true)")
        neovim.wait(lambda: not suggestion(neovim), "the ghost text to make way")
        assert_nothing_shown(neovim)
        neovim.lua("_G.change(false)")
        assert wait_for_ghost(neovim)


#: Notes where the cursor rests in insert mode, which Neovim notices long after the plugin would have asked.
RECORD_REST = """
vim.o.updatetime = 300
_G.rests = {}
vim.api.nvim_create_autocmd('CursorHoldI', {
  group = vim.api.nvim_create_augroup('test_rests', {}),
  callback = function() table.insert(_G.rests, vim.api.nvim_win_get_cursor(0)) end,
})
"""


class TestDismissing:
    def test_nothing_comes_back_there_until_the_text_changes(self, neovim: Neovim):
        neovim.type("i" + FIBONACCI)
        offered = wait_for_ghost(neovim)
        neovim.type("<C-]>")
        assert_nothing_shown(neovim)
        neovim.lua(RECORD + RECORD_REST)
        for key in ("<Left>", "<Right>"):
            neovim.type(key)
            wait_for_rest(neovim)
        row, column = neovim.cursor()
        dismissed = {"line": row - 1, "character": column}
        asked = [one["position"] for one in sent(neovim, "textDocument/inlineCompletion")]
        assert dismissed not in asked
        assert asked
        assert_nothing_shown(neovim)
        neovim.type(offered[0])
        assert wait_for_ghost(neovim)


def wait_for_rest(neovim: Neovim) -> None:
    """Wait until the cursor has rested where it is."""
    neovim.wait(lambda: list(neovim.cursor()) in neovim.lua("return _G.rests"), "the cursor to rest")


class TestAsking:
    def test_where_a_filetype_is_off_a_request_is_answered(self, neovim: Neovim):
        neovim.open("README.md", "# Title\n\n```python\n" + BEFORE.rstrip() + "\n")
        assert not is_attached(neovim)
        neovim.type("Go<C-u>    ")
        assert not is_attached(neovim)
        assert_nothing_shown(neovim)
        neovim.type("<M-Bslash>")
        assert wait_for_ghost(neovim)
        assert neovim.lua("return require('copilot_server').statusline()") == "copilot: off"

    def test_a_request_without_a_suggestion_is_answered_with_the_reason(self, neovim: Neovim):
        neovim.open(".env", "KEY=1\n")
        wait_until_attached(neovim)
        neovim.type("o<M-Bslash>")
        neovim.wait(lambda: "This file is excluded" in neovim.screen.text(), "the reason")
        neovim.type("x")
        neovim.wait(lambda: "This file is excluded" not in neovim.screen.text(), "the next key to hide it")

    @pytest.mark.parametrize(
        ("silence", "word", "end"), [("snooze 30", "snoozed", "resume"), ("manual", "manual", "automatic")]
    )
    def test_suggestions_that_come_only_if_asked_for(self, neovim: Neovim, silence: str, word: str, end: str):
        neovim.command(f"CopilotServer {silence}")
        neovim.wait(lambda: status(neovim).get("reason") == word, "the status")
        assert neovim.lua("return require('copilot_server').statusline()") == f"copilot: {word}"
        assert f":CopilotServer {end}" in neovim.command("CopilotServer status")
        neovim.lua(COUNT_ANSWERS)
        neovim.type("i" + FIBONACCI)
        neovim.wait(lambda: neovim.lua("return vim.g.answers"), "an answer")
        assert_nothing_shown(neovim)
        neovim.type("<M-Bslash>")
        assert wait_for_ghost(neovim)
        neovim.type("<Esc>")
        neovim.command(f"CopilotServer {end}")
        neovim.wait(lambda: status(neovim).get("reason") != word, "the status")
        neovim.type("ggdGi" + FIBONACCI)
        assert wait_for_ghost(neovim)


class TestSelfTest:
    def test_it_measures_the_plugins_model_on_its_device(self, neovim: Neovim):
        script = neovim.folder / "print-arguments"
        script.write_text('#!/bin/sh\necho "$@"\n', "utf-8")
        script.chmod(0o755)
        options = f"{{ cmd = {{ '{script}' }}, settings = {{ model = 'a-model', device = 'cpu' }} }}"
        neovim.lua(f"vim.g.copilot_server = {options}")
        neovim.command("CopilotServer selftest infilling")
        neovim.wait(lambda: "--selftest infilling" in neovim.text(), "the command")
        # What the user has chosen by the command wins over the options.
        model = neovim.lua("return require('copilot_server.settings').now().model")
        neovim.lua("vim.g.copilot_server = nil")
        assert f"--model {model} --device cpu" in neovim.text()
        neovim.command("bwipeout!")
