"""The Neovim in which most tests of the plugin run."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.editors.neovim import Neovim, find_neovim
from tests.editors.neovim_plugin import INIT, wait_until_attached


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Neovim]:
    with Neovim(find_neovim("0.12"), tmp_path_factory.mktemp("neovim"), INIT) as neovim:
        yield neovim


@pytest.fixture
def neovim(shared: Neovim) -> Neovim:
    """A Neovim with an empty Python file, in normal mode."""
    shared.type("<Esc><Esc>")
    shared.command("silent! only | silent! %bwipeout!")
    shared.open("main.py")
    wait_until_attached(shared)
    return shared
