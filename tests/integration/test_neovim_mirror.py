"""The repository of the Neovim plugin alone. tests/editors/test_neovim_sources.py installs it."""

from __future__ import annotations

import tarfile
from pathlib import Path

import pytest
import yaml

from copilot_server import __version__
from scripts import neovim
from scripts.checks import CheckError


def test_it_is_complete_and_links_to_nothing_that_it_lacks() -> None:
    mirror = neovim.files()
    neovim.check(mirror)
    assert [name for name in mirror if name.startswith(("../", "/", "tests/"))] == []
    readme = mirror["README.md"].decode()
    assert "](../" not in readme
    assert f"{neovim.REPOSITORY}/blob/main/scripts/neovim.py" in readme
    assert (
        mirror["media/neovim-suggestion.webp"] == (neovim.ROOT / "docs/neovim-suggestion.webp").read_bytes()
    )


def test_one_that_lacks_something_is_noticed() -> None:
    mirror = neovim.files()
    with pytest.raises(CheckError, match=r"lacks lazy\.lua"):
        neovim.check({name: content for name, content in mirror.items() if name != "lazy.lua"})
    with pytest.raises(CheckError, match=r"links to media/neovim-suggestion\.webp, which the mirror lacks"):
        neovim.check({name: content for name, content in mirror.items() if not name.endswith(".webp")})


def test_a_clone_is_written_anew_and_another_folder_is_left_alone(tmp_path: Path) -> None:
    clone = tmp_path / "clone"
    (clone / ".git").mkdir(parents=True)
    (clone / ".git/HEAD").write_text("ref: refs/heads/main\n")
    (clone / "lua").mkdir()
    (clone / "lua/of_an_older_version.lua").write_text("")
    for _ in range(2):
        neovim.write(clone)
        written = {path.relative_to(clone).as_posix() for path in clone.rglob("*") if path.is_file()}
        assert written == {*neovim.files(), ".git/HEAD"}
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(CheckError, match="is no clone"):
        neovim.write(tmp_path)
    assert (tmp_path / "mine.txt").read_text() == "mine"


def test_the_release_has_it_and_an_entry_for_masons_registry(tmp_path: Path) -> None:
    archive, entry = neovim.pack(tmp_path)
    with tarfile.open(archive) as packed:
        names = packed.getnames()
    assert f"copilot-server.nvim-{__version__}/lsp/copilot_server.lua" in names
    mason = yaml.safe_load(entry.read_text("utf-8"))
    # What Mason's schema requires: https://github.com/mason-org/registry-schema
    required = {"name", "description", "homepage", "licenses", "languages", "categories", "source"}
    assert required | {"bin"} == set(mason)
    assert mason["source"] == {"id": f"pkg:pypi/copilot-server@{__version__}"}
    assert mason["bin"] == {"copilot-server": "pypi:copilot-server"}
    assert entry.read_text("utf-8").startswith("---\n")
    assert max(len(line) for line in entry.read_text("utf-8").splitlines()) <= 120
