"""The first time in Neovim: the model is not on this machine, and comes from a hub on the loopback."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.editors.neovim import Neovim, find_neovim
from tests.editors.neovim_plugin import INIT, wait_for_ghost, wait_for_statusline
from tests.support.hub_server import REPOSITORY, Hub, running_hub_of

pytestmark = [pytest.mark.editors]

OPTIONS = f"vim.g.copilot_server = {{ settings = {{ model = '{REPOSITORY}', device = 'cpu' }} }}\n"


@pytest.fixture
def hub(tiny_model_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """A hub with a model, which is all that a server knows that is started now."""
    for name in [name for name in os.environ if name.startswith("HF_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("COPILOT_SERVER_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    with running_hub_of(tiny_model_dir) as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.endpoint)
        yield hub


def test_a_model_is_fetched_once_the_user_has_agreed_and_no_question_takes_what_is_typed(
    hub: Hub, tmp_path: Path
) -> None:
    with Neovim(find_neovim("0.12"), tmp_path / "project", OPTIONS + INIT) as neovim:
        neovim.open("main.py")
        neovim.type("iimport os")
        neovim.wait(lambda: "has a question" in neovim.screen.text(), "the question to be announced")
        neovim.type("<CR>1<CR>")  # which would choose the first answer
        assert neovim.text() == "import os\n1\n"

        neovim.type("<Esc>")
        neovim.wait(lambda: "1: Fetch" in neovim.screen.text(), "the question")
        assert REPOSITORY in neovim.screen.text()
        assert hub.requests == []
        neovim.type("2<CR>")
        neovim.wait(lambda: "1: Fetch" not in neovim.screen.text(), "the answer")
        wait_for_statusline(neovim, "copilot: not fetched")
        assert hub.requests == []

        neovim.command("CopilotServer fetch")
        wait_for_statusline(neovim, "copilot: ready")
        assert hub.downloads()
        neovim.type("ggdGiimport os<CR><CR>print(os.path<M-Bslash>")
        assert wait_for_ghost(neovim)
