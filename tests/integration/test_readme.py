"""What the README shows is what is shipped."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from attrs import fields

from copilot_server.config import (
    CompletionSettings,
    RemoteSettings,
    Settings,
    SpeedSettings,
    load_settings,
)
from tests.support.paths import REPOSITORY

README = (REPOSITORY / "README.md").read_text("utf-8")
EDITORS = (REPOSITORY / "docs" / "editors.md").read_text("utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def test_the_settings_shown_are_all_of_them_with_their_defaults(tmp_path: Path):
    (shown,) = [block for block in blocks("toml") if "[completion]" in block]
    (tmp_path / "config.toml").write_text(shown, "utf-8")
    assert load_settings(tmp_path / "config.toml", {}) == Settings()
    for section in (Settings, CompletionSettings, SpeedSettings, RemoteSettings):
        for setting in fields(section):
            assert re.search(rf"^(?:\[{setting.name}\]|{setting.name} = )", shown, re.MULTILINE), setting.name


@pytest.mark.parametrize("language", ["elisp", "toml", "json"])
def test_the_configurations_of_editors_are_those_of_their_documentation(language: str):
    documented = " ".join(EDITORS.split())
    shown = [block for block in blocks(language) if "[completion]" not in block]
    assert shown
    for block in shown:
        without_remarks = re.sub(r"^(?:;;|#|//) .*$", "", block, flags=re.MULTILINE)
        assert " ".join(without_remarks.split()) in documented


def test_every_flag_shown_exists():
    helped = [sys.executable, "-m", "copilot_server"]
    texts = [
        subprocess.run([*helped, *words, "--help"], capture_output=True, text=True, check=True).stdout
        for words in ([], ["bench"], ["pull"], ["models"], ["compare"], ["stats"])
    ]
    ours = re.findall(r"^copilot-server .*$", "\n".join(blocks("sh")), re.MULTILINE)
    assert len(ours) > 10
    for flag in set(re.findall(r"--[a-z][a-z0-9-]+", "\n".join(ours))):
        assert any(flag in text for text in texts), flag
