"""The Neovim plugin in a real Neovim, with the real server and model: keys in, buffer and screen out."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.editors.examples import ADD
from tests.editors.neovim import PLUGIN, Neovim, find_neovim
from tests.editors.neovim_plugin import (
    BEFORE,
    COUNT_ANSWERS,
    FIBONACCI,
    INIT,
    RECORD_CURSOR,
    assert_nothing_shown,
    assert_shown,
    is_attached,
    message_of,
    server_pids,
    suggestion,
    wait_for_ghost,
    wait_for_report,
    wait_for_statusline,
    wait_until_attached,
)
from tests.support.engines import RunningEngine, llamacpp_engine

pytestmark = [pytest.mark.editors, pytest.mark.model]

#: A file of the project, and what uses it: only the file can tell the attribute's name.
ATTRIBUTE = "snooze_after_failure_s"
PREFERENCES = f'''class Preferences:
    """What the user has set."""

    {ATTRIBUTE}: float = 1.0
    bucket_prefix: str = ""
'''
PAUSE = (
    "from preferences import Preferences<CR><CR><CR>"
    "def pause(preferences: Preferences, attempt: int) -> float:<CR>"
    '"""Return how long to wait before the next attempt."""<CR>return attempt * preferences.'
)


class TestTyping:
    def test_words_lines_and_all_are_accepted_and_undone_one_by_one(self, neovim: Neovim):
        neovim.type("i" + FIBONACCI)
        offered = wait_for_ghost(neovim)
        assert "\n" in offered
        assert neovim.text() == BEFORE
        assert_shown(neovim, offered)

        neovim.type("<M-Right>")
        (word,) = re.findall(r"\A\s*\w+|\A\s*[^\w\s]+", offered)
        assert neovim.text() == BEFORE + word
        assert_shown(neovim, offered.removeprefix(word))

        neovim.type("<M-C-Right>")
        line = offered.split("\n")[0]
        assert neovim.text() == BEFORE + line
        assert_shown(neovim, offered.removeprefix(line))

        neovim.type("<Tab>")
        whole = BEFORE + offered
        assert neovim.text() == whole
        assert neovim.cursor() == (whole.count("\n") + 1, len(whole.split("\n")[-1]))

        neovim.type("<Esc>u")
        assert neovim.text() == BEFORE + line
        neovim.type("u")
        assert neovim.text() == BEFORE + word
        neovim.type("u")
        assert neovim.text() == BEFORE
        neovim.type("<C-r><C-r><C-r>")
        assert neovim.text() == whole

    def test_what_agrees_is_typed_through_and_what_does_not_takes_it_away_at_once(self, neovim: Neovim):
        neovim.type("i" + FIBONACCI)
        offered = wait_for_ghost(neovim)
        begun = offered.split("\n")[0][:3]
        neovim.type(begun)
        assert suggestion(neovim) == offered.removeprefix(begun)
        assert_shown(neovim, offered.removeprefix(begun))
        neovim.type("§")
        assert neovim.text() == BEFORE + begun + "§"
        assert_nothing_shown(neovim)

    def test_a_key_and_an_accept_in_one_go_put_the_text_in_once(self, neovim: Neovim):
        """Neovim 0.12.4's own inline completion leaves the key behind: see test_lspconfig.py."""
        neovim.type("i" + FIBONACCI)
        offered = wait_for_ghost(neovim)
        neovim.type(offered[0] + "<Tab>")
        assert neovim.text() == BEFORE + offered

    def test_a_suggestion_that_no_longer_fits_is_not_accepted(self, neovim: Neovim):
        neovim.type("i" + FIBONACCI)
        wait_for_ghost(neovim)
        neovim.type("§<Tab>")
        assert neovim.text().startswith(BEFORE + "§")
        assert neovim.text().removeprefix(BEFORE + "§").strip() == ""

    def test_dismissed_until_the_text_changes(self, neovim: Neovim):
        neovim.type("i" + FIBONACCI)
        offered = wait_for_ghost(neovim)
        neovim.type("<C-]>")
        assert neovim.text() == BEFORE
        assert_nothing_shown(neovim)
        neovim.type(offered[0])
        assert wait_for_ghost(neovim)
        assert neovim.text() == BEFORE + offered[0]

    def test_what_was_dismissed_is_not_suggested_there_again(self, neovim: Neovim):
        neovim.type("i" + FIBONACCI)
        wait_for_ghost(neovim)
        neovim.type("<C-]>")
        assert_nothing_shown(neovim)
        neovim.lua(COUNT_ANSWERS)
        neovim.type("§<BS>")
        neovim.wait(lambda: neovim.lua("return vim.g.answers"), "an answer")
        assert neovim.text() == BEFORE
        assert_nothing_shown(neovim)
        neovim.type("<M-Bslash>")
        assert wait_for_ghost(neovim)

    def test_leaving_insert_mode_takes_it_away(self, neovim: Neovim):
        neovim.type("i" + FIBONACCI)
        wait_for_ghost(neovim)
        neovim.type("<Esc>")
        assert_nothing_shown(neovim)
        neovim.type("A")
        assert wait_for_ghost(neovim)

    def test_edits_while_the_model_runs(self, neovim: Neovim):
        neovim.type("i" + FIBONACCI)
        for name in ("sum", "product", "maximum"):
            neovim.type(f"<Esc>ggdGidef {name}_of_list(numbers):<CR>")
        offered = wait_for_ghost(neovim)
        before = neovim.text()
        assert before == "def maximum_of_list(numbers):\n    "
        neovim.type("<Tab>")
        assert neovim.text() == before + offered

    def test_a_dot_repeats_what_was_accepted(self, neovim: Neovim):
        neovim.type("i" + FIBONACCI)
        offered = wait_for_ghost(neovim)
        neovim.type("<Tab><Esc>")
        neovim.command("%delete _ | undojoin | set noautoindent indentexpr=")
        neovim.type(".")
        assert offered.split("\n")[-1] in neovim.text()
        neovim.command("set autoindent")


class TestCursor:
    def test_it_is_reported_where_text_will_be_typed_next_and_read_ahead(self, neovim: Neovim):
        neovim.lua(RECORD_CURSOR)
        neovim.type("iimport os<CR>été = 2<Esc>")
        wait_for_report(neovim, "main.py", 1, 9)  # in UTF-8, which Neovim and the server agree on
        neovim.type("gg0")
        wait_for_report(neovim, "main.py", 0, 9)  # the line's end, since nothing is typed in normal mode
        neovim.open("other.py")
        wait_until_attached(neovim)
        wait_for_report(neovim, "other.py", 0, 0)
        neovim.type(":b main.py<CR>")
        wait_for_report(neovim, "main.py", 0, 9)
        neovim.wait(lambda: read_ahead(neovim) > 0, "the server to read ahead")


def read_ahead(neovim: Neovim) -> int:
    """How often the server has read ahead."""
    asked = "return require('copilot_server.server').client():request_sync('copilotServer/stats', {}).result"
    return neovim.lua(asked)["readAhead"]


class TestCandidates:
    @pytest.fixture(autouse=True)
    def hot(self, neovim: Neovim) -> Iterator[None]:
        """A configuration in which candidates are seldom the same."""
        change = "require('copilot_server.settings').change('completion', ...)"
        neovim.lua(change, {"temperature": 1.0, "max_new_tokens": 24})
        yield
        neovim.lua(change, {})

    def test_next_and_previous(self, neovim: Neovim):
        neovim.type("idef shout(text):<CR>")
        first = wait_for_ghost(neovim)
        neovim.type("<M-]>")
        neovim.wait(lambda: re.search(r"\([1-9]/[2-9]\)", neovim.screen.text()), "several candidates")
        second = suggestion(neovim)
        assert second != first
        assert_shown(neovim, second)
        neovim.type("<M-[>")
        neovim.wait(lambda: suggestion(neovim) == first, "the first again")
        neovim.type("<M-]><Tab>")
        assert neovim.text() == "def shout(text):\n    " + second

    def test_explicitly_invoked_after_dismissing(self, neovim: Neovim):
        neovim.type("idef shout(text):<CR>")
        wait_for_ghost(neovim)
        neovim.type("<C-]>")
        assert_nothing_shown(neovim)
        neovim.type("<M-Bslash>")
        assert wait_for_ghost(neovim)

    def test_the_panel_shows_several_and_inserts_one(self, neovim: Neovim):
        neovim.type("idef shout(text):<CR>")
        wait_for_ghost(neovim)
        neovim.type("<M-CR>")
        neovim.wait(lambda: re.search(r"\d suggestions? · <CR> accepts", neovim.screen.text()), "the panel")
        assert neovim.lua("return vim.bo.filetype") == "copilot_server_panel"
        offered = "\n".join(neovim.lines())
        neovim.type("]]")
        row = neovim.cursor()[0]
        chosen = neovim.lines()[row - 1]
        neovim.type("<CR>")
        neovim.wait(lambda: neovim.lua("return vim.bo.filetype") == "python", "the source's window")
        assert neovim.lines()[:2] == ["def shout(text):", chosen]
        assert "\n".join(neovim.lines()[1:]) in offered
        assert len(neovim.lua("return vim.api.nvim_list_wins()")) == 1

    def test_the_panel_is_closed_by_q(self, neovim: Neovim):
        neovim.type("idef shout(text):<CR><M-CR>")
        neovim.wait(lambda: neovim.lua("return vim.bo.filetype") == "copilot_server_panel", "the panel")
        neovim.type("q")
        assert neovim.text() == "def shout(text):\n    "


class TestSwitches:
    @pytest.mark.parametrize("scope", ["buffer", "filetype", "global"])
    def test_off_and_on_again(self, neovim: Neovim, scope: str):
        neovim.command(f"CopilotServer disable {scope}")
        assert not is_attached(neovim)
        neovim.type("i" + FIBONACCI)
        assert_nothing_shown(neovim)
        assert neovim.text() == BEFORE
        assert neovim.lua("return require('copilot_server').statusline()") == "copilot: off"
        neovim.command(f"CopilotServer toggle {scope}")
        assert wait_for_ghost(neovim)
        assert is_attached(neovim)

    def test_another_buffer_stays_on(self, neovim: Neovim):
        neovim.command("CopilotServer toggle")
        assert not is_attached(neovim)
        neovim.open("other.py")
        wait_until_attached(neovim)

    @pytest.mark.parametrize(
        ("command", "reason"),
        [
            ("enew", "without a filetype"),
            ("enew | setfiletype gitcommit", "gitcommit"),
            ("enew | setfiletype text", "filetype text"),
            ("enew | setfiletype markdown", "filetype markdown"),
            ("help", "not a file"),
            ("terminal", "not a file"),
            ("enew | setlocal buftype=nofile filetype=python", "not a file"),
            ("edit oil:///somewhere.py", "not a file"),
            ("enew | setlocal buftype=prompt filetype=python", "not a file"),
        ],
    )
    def test_what_is_neither_a_file_nor_code_is_left_alone(self, neovim: Neovim, command: str, reason: str):
        neovim.command(command)
        assert not is_attached(neovim)
        assert reason in neovim.command("CopilotServer status")

    def test_buffers_without_a_name(self, neovim: Neovim):
        for name in ("double", "halve"):
            neovim.command("enew! | setfiletype python")
            wait_until_attached(neovim)
            neovim.type(f"idef {name}(number):<CR>")
            offered = wait_for_ghost(neovim)
            neovim.type("<Tab>")
            assert neovim.text() == f"def {name}(number):\n    " + offered
            neovim.type("<Esc>")
            neovim.command("set hidden")


class TestKeys:
    def test_tab_indents_where_nothing_is_shown(self, neovim: Neovim):
        neovim.command("CopilotServer disable buffer")
        neovim.type("i<Tab>x")
        assert neovim.text() in {"    x", "\tx"}

    def test_tab_is_the_menus_while_a_menu_is_open(self, neovim: Neovim):
        neovim.type("i" + FIBONACCI)
        offered = wait_for_ghost(neovim)
        neovim.command("set completeopt=menuone,noinsert")
        neovim.type("fib<C-x><C-n>")
        neovim.wait(lambda: neovim.lua("return vim.fn.pumvisible()"), "the menu")
        assert_nothing_shown(neovim)
        neovim.type("<Tab>")
        assert offered not in neovim.text()

    def test_a_mapping_of_the_users_is_what_tab_falls_back_to(self, tmp_path: Path):
        own = INIT + "vim.keymap.set('i', '<Tab>', function() return 'own' end, { expr = true })\n"
        with Neovim(find_neovim("0.12"), tmp_path, own) as neovim:
            neovim.open("main.py")
            wait_until_attached(neovim)
            neovim.command("CopilotServer disable buffer")
            neovim.type("i<Tab>")
            assert neovim.text() == "own"
            neovim.type("<BS><BS><BS>")
            neovim.lua("package.loaded.luasnip = { locally_jumpable = function() return _G.jumpable end }")
            neovim.command("CopilotServer enable buffer")
            neovim.type(FIBONACCI)
            wait_for_ghost(neovim)
            neovim.lua("_G.jumpable = true")  # as in a snippet, where the user's mapping jumps
            neovim.type("<Tab>")
            assert neovim.text() == BEFORE + "own"
            neovim.type("<BS><BS><BS>")
            offered = wait_for_ghost(neovim)
            neovim.lua("_G.jumpable = false")
            neovim.type("<Tab>")
            assert neovim.text() == BEFORE + offered


UTF16 = """
vim.lsp.config('copilot_server', { capabilities = { general = { positionEncodings = { 'utf-16' } } } })
"""

#: A server takes this at its start only.
IDLE = "vim.g.copilot_server = { settings = { verify = 'idle' } }\n"


@pytest.fixture(scope="module", params=["utf-8", "utf-16"])
def encoded(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Neovim]:
    init = INIT.replace("vim.lsp.enable", (UTF16 if request.param == "utf-16" else "") + "vim.lsp.enable")
    with Neovim(find_neovim("0.12"), tmp_path_factory.mktemp("encoded"), IDLE + init) as neovim:
        neovim.open("main.py")
        wait_until_attached(neovim)
        used = neovim.lua("return vim.lsp.get_clients({ name = 'copilot_server' })[1].offset_encoding")
        assert used == request.param
        yield neovim


class TestText:
    @pytest.mark.parametrize("after", ["", ")"])
    def test_characters_of_several_units_before_the_cursor(self, encoded: Neovim, after: str):
        encoded.type("<Esc>")
        encoded.open("names.py", 'def greet(name):\n    """Print a greeting, then the name."""\n')
        wait_until_attached(encoded)
        typed = '    print("é 漢字 👍 👩‍👧", '
        encoded.type(f"Go<C-u>{typed}{after}" + "<Left>" * len(after))
        offered = wait_for_ghost(encoded)
        encoded.type("<Tab>")
        line = encoded.lines()[2]
        assert line.startswith(typed + offered.split("\n")[0].removesuffix(after))
        assert line.count(")") == line.count("(")

    def test_line_ends_of_two_characters(self, encoded: Neovim):
        encoded.type("<Esc>")
        path = encoded.open(
            "dos.py", 'import os\r\n\r\ndef fibonacci(n: int) -> int:\r\n    """The n-th."""\r\n'
        )
        wait_until_attached(encoded)
        assert encoded.lua("return vim.bo.fileformat") == "dos"
        encoded.type("Go")
        offered = wait_for_ghost(encoded)
        encoded.type("<M-C-Right><Tab><Esc>")
        assert "\r" not in encoded.text()
        encoded.command("write")
        written = path.read_bytes().decode()
        assert written.endswith(offered.replace("\n", "\r\n") + "\r\n")
        assert written.count("\r\n") == written.count("\n") == written.count("\r")


class TestIdle:
    def test_what_is_shown_is_checked_once_nobody_types_and_stays(self, encoded: Neovim):
        encoded.type("<Esc>")
        encoded.open("sums.py", ADD)
        wait_until_attached(encoded)
        encoded.type("G$a")
        offered = wait_for_ghost(encoded)
        wait_for_statusline(encoded, "copilot: examples pass")
        assert suggestion(encoded) == offered
        assert_shown(encoded, offered)
        encoded.type("<M-CR>")
        encoded.wait(lambda: "✓ 1 of 1 example passes" in encoded.screen.text(), "the verdict in the panel")
        encoded.type("q")


class TestServer:
    def test_a_killed_server_is_reported_and_restarted(self, neovim: Neovim):
        neovim.type("i" + FIBONACCI)
        wait_for_ghost(neovim)
        (killed,) = server_pids(neovim)
        os.kill(killed, signal.SIGKILL)
        neovim.wait(lambda: "was killed by signal 9" in neovim.command("messages"), "the message")
        neovim.type("<Esc>")
        neovim.wait(lambda: is_attached(neovim), "the server again")
        neovim.type("ggdGi" + FIBONACCI)
        offered = wait_for_ghost(neovim)
        neovim.type("<Tab>")
        assert neovim.text() == BEFORE + offered
        assert killed not in server_pids(neovim)

    def test_restarted_by_the_user(self, neovim: Neovim):
        before = server_pids(neovim)
        neovim.command("messages clear")
        neovim.command("CopilotServer restart")
        neovim.wait(lambda: server_pids(neovim) not in ([], before) and is_attached(neovim), "another server")
        neovim.type("i" + FIBONACCI)
        assert wait_for_ghost(neovim)
        assert "killed" not in neovim.command("messages")

    def test_a_server_that_keeps_dying_is_not_restarted_and_a_remedy_is_shown(self, tmp_path: Path):
        dies = "vim.g.copilot_server = { cmd = { 'sh', '-c', 'exit 7' }, restarts = 1 }\n"
        with Neovim(find_neovim("0.12"), tmp_path, dies + INIT) as neovim:
            neovim.open("main.py")
            neovim.wait(lambda: "starting it again" in neovim.command("messages"), "a second try")
            neovim.wait(lambda: ":CopilotServer restart" in neovim.command("messages"), "the remedy")
            assert "ended with code 7" in neovim.command("messages")
            neovim.type("i<M-Bslash>")
            neovim.wait(lambda: "No suggestions: the server is not running" in neovim.screen.text(), "why")

    def test_a_missing_server_is_reported_once_with_a_remedy(self, tmp_path: Path):
        missing = "vim.g.copilot_server = { cmd = { '/nowhere/copilot-server' } }\n"
        with Neovim(find_neovim("0.12"), tmp_path, missing + INIT) as neovim:
            neovim.open("main.py")
            neovim.open("other.py")
            neovim.wait(lambda: "make install" in neovim.command("messages"), "the remedy")
            assert neovim.command("messages").count("the server was not found") == 1
            neovim.type("i<M-Bslash>")
            neovim.wait(
                lambda: "No suggestions: the server was not found" in neovim.screen.text(), "the reason"
            )
            neovim.type("<Esc>")
            neovim.command("checkhealth copilot_server")
            assert re.search(r"ERROR.*not found", neovim.text())

    def test_no_program_of_a_project_is_taken_for_the_server(self, tmp_path: Path):
        project, elsewhere = tmp_path / "project", tmp_path / "elsewhere"
        for folder in (project / "bin", elsewhere):
            folder.mkdir(parents=True)
        for program in (project / "serve", project / "bin" / "serve", elsewhere / "serve-mine"):
            program.write_text("#!/bin/sh\nexit 7\n", "utf-8")
            program.chmod(0o755)
        with Neovim(find_neovim("0.12"), tmp_path / "own", "") as neovim:
            neovim.lua(f"vim.opt.runtimepath:prepend('{PLUGIN}')")
            neovim.command(f"cd {project}")
            neovim.lua(f"vim.env.PATH = '.::{elsewhere}:' .. vim.env.PATH")

            def command(program: str) -> list[str] | None:
                neovim.lua(f"vim.g.copilot_server = {{ cmd = {{ '{program}', '-x' }} }}")
                return neovim.lua("return require('copilot_server.server').command()")

            # Neovim itself would run the project's.
            for program in ("serve", "./serve", "bin/serve"):
                assert neovim.lua(f"return vim.fn.executable('{program}')") == 1
                assert command(program) is None
            assert command("serve-mine") == [str(elsewhere / "serve-mine"), "-x"]
            assert command(str(elsewhere / "serve-mine")) == [str(elsewhere / "serve-mine"), "-x"]

    def test_one_server_for_all_projects(self, neovim: Neovim):
        for project in ("one", "two"):
            (neovim.folder / project / ".git").mkdir(parents=True, exist_ok=True)
            neovim.open(f"{project}/main.py")
            wait_until_attached(neovim)
        assert len(server_pids(neovim)) == 1

    def test_the_model_can_be_changed_and_a_wrong_one_is_reported(self, neovim: Neovim):
        neovim.command("messages clear")
        neovim.command("CopilotServer model no-such-model")
        neovim.wait(lambda: "no-such-model" in neovim.command("messages"), "a message")
        neovim.command("CopilotServer model qwen2.5-coder-0.5b")
        neovim.type("i" + FIBONACCI)
        assert wait_for_ghost(neovim)


@pytest.fixture(scope="module")
def engine() -> Iterator[RunningEngine]:
    with llamacpp_engine() as engine:
        yield engine


class TestRemoteEngine:
    @pytest.fixture
    def connected(self, engine: RunningEngine, tmp_path: Path) -> Iterator[Neovim]:
        """A Neovim whose server uses the remote engine, which is running."""
        options = f"vim.g.copilot_server = {{ settings = {{ engine = '{engine.url}' }} }}\n"
        with Neovim(find_neovim("0.12"), tmp_path, options + INIT) as neovim:
            neovim.open("main.py")
            wait_until_attached(neovim)
            wait_for_statusline(neovim, f"copilot: ready at {host_of(engine)}")
            yield neovim

    def test_the_host_is_shown_wherever_the_status_is(self, connected: Neovim, engine: RunningEngine):
        connected.type("i" + FIBONACCI)
        offered = wait_for_ghost(connected)
        connected.type("<Tab><Esc>")
        assert connected.text() == BEFORE + offered
        assert f"qwen2.5-coder-0.5b, at {host_of(engine)}, where" in connected.command("CopilotServer status")
        assert connected.lua("return require('copilot_server').status().engine") == host_of(engine)
        connected.command("CopilotServer model")
        connected.wait(lambda: "is chosen there" in connected.command("messages"), "the message")
        connected.command("checkhealth copilot_server")
        assert f"is sent to the engine at {host_of(engine)}" in connected.text()
        assert "ERROR" not in connected.text()

    def test_an_unreachable_one_is_reported_once_and_used_again_when_it_is_back(
        self, connected: Neovim, engine: RunningEngine
    ):
        for _ in range(2):
            engine.kill()
            wait_for_statusline(connected, f"copilot: error at {host_of(engine)}")
            assert host_of(engine) in message_of(connected)
            connected.command("new | checkhealth copilot_server")
            assert re.search(rf"ERROR error.*{host_of(engine)}", connected.text())
            connected.command("silent! tabonly | silent! only | edit! main.py")
            engine.restart()
            wait_for_statusline(connected, f"copilot: ready at {host_of(engine)}")
            assert message_of(connected) == "Ready"
        assert connected.command("messages").count(f"The engine at {host_of(engine)}") == 1
        connected.type("i" + FIBONACCI)
        assert wait_for_ghost(connected)

    def test_without_one_no_host_is_shown(self, neovim: Neovim):
        wait_for_statusline(neovim, "copilot: ready")
        assert neovim.lua("return require('copilot_server').status().engine") is None
        assert "where what is completed is sent" not in neovim.command("CopilotServer status")


def host_of(engine: RunningEngine) -> str:
    return engine.url.removeprefix("http://")


class TestWorkspace:
    def test_what_another_file_defines_is_suggested_and_accepted(self, tmp_path: Path):
        subprocess.run(["git", "init", "-q", tmp_path], check=True)
        (tmp_path / "preferences.py").write_text(PREFERENCES, "utf-8")
        with Neovim(find_neovim("0.12"), tmp_path, INIT) as neovim:
            neovim.open("main.py")
            # Whoever asks before the server has started is answered when it has.
            neovim.type("i" + FIBONACCI + "<M-Bslash>")
            assert wait_for_ghost(neovim)
            neovim.type("<Esc>ggdGi" + PAUSE)
            # The index is made in the background: invoke completion again until it is there.
            neovim.wait(lambda: invoked(neovim).startswith(ATTRIBUTE), "what the other file defines")
            before, offered = neovim.text(), suggestion(neovim)
            neovim.type("<Tab>")
            assert neovim.text() == before + offered


def invoked(neovim: Neovim) -> str:
    """The suggestion that an explicitly invoked completion brings."""
    neovim.type("<C-]><M-Bslash>")
    return wait_for_ghost(neovim)


class TestAround:
    def test_health(self, neovim: Neovim):
        neovim.command("checkhealth copilot_server")
        text = neovim.text()
        assert "ERROR" not in text
        assert "WARNING" not in text
        assert re.search(r"OK .*copilot-server: copilot-server \d", text)
        assert "positions in utf-8" in text
        assert "qwen2.5-coder-0.5b" in text
        assert "accept: <Tab>" in text

    def test_health_names_wrong_options_and_keys_that_others_have(self, tmp_path: Path):
        wrong = "vim.g.copilot_server = { keymap = {}, debounce_ms = 'slow' }\n"
        with Neovim(find_neovim("0.12"), tmp_path, wrong + INIT) as neovim:
            neovim.open("main.py")
            wait_until_attached(neovim)
            neovim.command("inoremap <Tab> own")
            neovim.command("checkhealth copilot_server")
            text = neovim.text()
        assert 'unknown option "keymap"' in text
        assert 'option "debounce_ms" must be a number, not a string' in text
        assert re.search(r"WARNING accept: <Tab> is mapped to something else", text)

    def test_help(self, neovim: Neovim):
        neovim.command(f"helptags {PLUGIN / 'doc'}")
        written = (PLUGIN / "doc" / "copilot_server.txt").read_text("utf-8")
        for tag in sorted(set(re.findall(r"\|([^|\s]+)\|", written))):
            neovim.command(f"help {tag}")
            neovim.command("helpclose")
        for command in re.findall(r"^:CopilotServer (\w+)", written, re.MULTILINE):
            assert command in neovim.request(
                "nvim_call_function", "getcompletion", ["CopilotServer ", "cmdline"]
            )

    def test_the_options_in_the_help_are_the_defaults(self, neovim: Neovim):
        written = (PLUGIN / "doc" / "copilot_server.txt").read_text("utf-8")
        (shown,) = re.findall(r"These are the defaults: >lua\n(.*?)\n<", written, re.DOTALL)
        expression = shown.replace("vim.g.copilot_server = ", "return ", 1)
        assert neovim.lua(expression) == neovim.lua("return require('copilot_server.config').defaults")

    def test_the_statusline_follows_the_server(self, neovim: Neovim):
        statusline = "return require('copilot_server').statusline()"
        neovim.wait(lambda: neovim.lua(statusline) == "copilot: ready", "ready")
        neovim.command("set statusline=%{v:lua.require'copilot_server'.statusline()} laststatus=2")
        neovim.wait(lambda: "copilot: ready" in neovim.screen.text(), "the statusline on the screen")
        neovim.command("CopilotServer disable buffer")
        neovim.wait(lambda: "copilot: off" in neovim.screen.text(), "off on the screen")

    def test_commands_complete_and_name_what_they_take(self, neovim: Neovim):
        def complete(line: str) -> list[str]:
            return list(neovim.request("nvim_call_function", "getcompletion", [line, "cmdline"]))

        assert complete("CopilotServer re") == ["restart", "resume"]
        assert complete("CopilotServer snooze 1") == ["120", "15"]
        assert complete("CopilotServer toggle ") == ["buffer", "filetype", "global"]
        neovim.command("messages clear")
        neovim.command("CopilotServer nonsense")
        neovim.command("CopilotServer toggle everything")
        neovim.wait(lambda: "toggle takes one of" in neovim.command("messages"), "both messages")
        assert "no such command: nonsense (automatic, cancel, disable, enable," in neovim.command("messages")

    def test_statistics_in_a_terminal(self, neovim: Neovim):
        neovim.command("CopilotServer stats")
        neovim.wait(lambda: re.search(r"^shown +\d.*offered", neovim.text(), re.MULTILINE), "a table")

    def test_what_a_terminal_could_take_for_a_command_is_not_drawn(self, neovim: Neovim):
        neovim.lua(
            "require('copilot_server.ghost').draw({ bufnr = 0, row = 0, col = 0 }, ..., '')",
            "a\x1b[2Jb\tc\n\x07d",
        )
        neovim.wait(lambda: "^[[2Jb" in neovim.screen.text(), "the escape, printed")
        assert "\x1b" not in neovim.screen.text()
        assert "^Gd" in neovim.screen.ghost()


class TestOlderNeovim:
    """Neovim 0.10, which has neither inline completion nor ``vim.lsp.enable()``."""

    INIT = INIT.replace("vim.lsp.enable('copilot_server')\n", "")

    def start(self, folder: Path, setup: str) -> Neovim:
        return Neovim(find_neovim("0.10"), folder, self.INIT + setup)

    def test_without_setup_it_loads_and_health_says_what_to_do(self, tmp_path: Path):
        with self.start(tmp_path, "") as neovim:
            neovim.open("main.py")
            assert neovim.command("messages").strip() == ""
            neovim.command("checkhealth copilot_server")
            assert "has no vim.lsp.enable()" in neovim.text()
            assert "require('copilot_server').setup()" in neovim.text()

    def test_ghost_text(self, tmp_path: Path):
        with self.start(tmp_path, "require('copilot_server').setup()") as neovim:
            neovim.open("main.py")
            wait_until_attached(neovim)
            neovim.type('i"é 漢字 👍"<CR>' + FIBONACCI)
            offered = wait_for_ghost(neovim)
            neovim.type("<M-Right><M-C-Right><Tab>")
            assert neovim.text() == '"é 漢字 👍"\n' + BEFORE + offered

    def test_the_completion_menu(self, tmp_path: Path):
        with self.start(tmp_path, "require('copilot_server').setup({ ghost_text = false })") as neovim:
            neovim.open("main.py")
            wait_until_attached(neovim)
            neovim.type("i" + FIBONACCI)
            neovim.wait(
                lambda: neovim.lua("return require('copilot_server').statusline()") == "copilot: ready",
                "ready",
            )
            neovim.type("<C-x><C-o>")
            neovim.wait(lambda: neovim.text() != BEFORE, "the completion")
            neovim.type("<C-y>")
            neovim.wait(lambda: re.search(r"\n +return ", neovim.text().removeprefix(BEFORE)), "its lines")
            assert neovim.text().startswith(BEFORE)
            assert neovim.cursor() == (len(neovim.lines()), len(neovim.lines()[-1]))
            assert_nothing_shown(neovim)
