"""Several windows, macros, and filetypes that change, in a real Neovim."""

from __future__ import annotations

import pytest

from tests.editors.neovim import Neovim
from tests.editors.neovim_plugin import (
    BEFORE,
    FIBONACCI,
    assert_nothing_shown,
    assert_shown,
    is_attached,
    wait_for_ghost,
    wait_until_attached,
)

pytestmark = [pytest.mark.editors, pytest.mark.model]


class TestWindows:
    def test_another_window_of_the_same_buffer_shows_no_ghost_text(self, neovim: Neovim):
        neovim.command("split")
        neovim.type("i" + FIBONACCI)
        offered = wait_for_ghost(neovim)
        neovim.wait(lambda: neovim.screen.text().count("recursively") == 2, "the text in both windows")
        assert_shown(neovim, offered)
        neovim.type("<Esc>")
        neovim.command("wincmd j")
        neovim.type("GA")
        assert_shown(neovim, wait_for_ghost(neovim))

    def test_lines_for_which_the_window_has_no_room_are_counted(self, neovim: Neovim):
        neovim.type("i" + "<CR>" * 60 + "<C-u>" + FIBONACCI)
        offered = wait_for_ghost(neovim)
        hidden = offered.count("\n")
        assert hidden > 1
        neovim.wait(lambda: f"… {hidden} more lines" in neovim.screen.text(), "their number")
        neovim.type("<C-o>zz")
        assert_shown(neovim, wait_for_ghost(neovim))
        assert "more line" not in neovim.screen.text()


class TestMacros:
    def test_nothing_is_suggested_while_one_is_recorded(self, neovim: Neovim):
        """What is accepted would not be in the macro, but the key that accepts it would."""
        neovim.type("qqi" + FIBONACCI)
        neovim.type("<M-Bslash>")
        neovim.wait(lambda: "while a macro is recorded" in neovim.screen.text(), "the reason")
        assert_nothing_shown(neovim)
        assert neovim.text() == BEFORE
        neovim.type("<Esc>q")
        neovim.type("A")
        assert wait_for_ghost(neovim)


class TestFiletypes:
    def test_a_buffer_whose_filetype_becomes_one_that_is_off_is_closed_in_the_server(self, neovim: Neovim):
        neovim.command("setlocal filetype=markdown")
        neovim.wait(lambda: not is_attached(neovim), "the buffer to be detached")
        neovim.command("setlocal filetype=lua")
        wait_until_attached(neovim)
        neovim.type("ilocal function double(number)<CR>")
        assert "return number" in wait_for_ghost(neovim)
