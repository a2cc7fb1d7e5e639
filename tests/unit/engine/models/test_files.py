"""The files of a model are looked at before they are opened."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from copilot_server.engine.models.files import MOST_JSON_BYTES, check_files
from copilot_server.errors import ModelError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "original").mkdir()
    return tmp_path


@pytest.mark.skipif(sys.platform == "win32", reason="has neither pipes in folders nor /dev/zero")
@pytest.mark.parametrize("name", ["tokenizer.json", "model.safetensors", "merges.txt"])
def test_pipes_and_devices_are_refused(name: str, folder: Path):
    check_files(folder)
    for make in (os.mkfifo, lambda path: path.symlink_to("/dev/zero")):
        make(folder / name)
        with pytest.raises(ModelError, match=name) as caught:
            check_files(folder)
        assert caught.value.remedy
        (folder / name).unlink()
    (folder / name).symlink_to(folder / "config.json")
    check_files(folder)


def test_a_file_of_json_has_a_limit(folder: Path):
    os.truncate(folder / "config.json", MOST_JSON_BYTES)
    check_files(folder)
    os.truncate(folder / "config.json", MOST_JSON_BYTES + 1)
    with pytest.raises(ModelError, match="far more"):
        check_files(folder)
    (folder / "config.json").rename(folder / "data.json")  # which nobody reads
    check_files(folder)


def test_what_is_not_there_is_left_to_who_needs_it(folder: Path):
    (folder / "README.md").symlink_to("nothing")
    check_files(folder)
    check_files(folder / "config.json")
    check_files(folder / "nothing.gguf")


def test_a_path_that_the_system_does_not_take_is_refused(folder: Path):
    with pytest.raises(ModelError, match="cannot be read") as caught:
        check_files(folder / ("x" * 5000))
    assert caught.value.remedy
