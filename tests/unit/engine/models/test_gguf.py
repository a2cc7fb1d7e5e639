"""A GGUF file that anybody may have made: nothing beside it is read, and a damaged one is refused."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from copilot_server.engine.models.gguf import (
    described_folder,
    described_path,
    prepared_folder,
    unpacked_folder,
)
from copilot_server.errors import ModelError
from tests.support.tiny_gguf import build_tiny_gguf


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_tiny_gguf(tmp_path_factory.mktemp("gguf") / "tiny.gguf")


def test_what_lies_beside_the_file_is_not_read(good: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("COPILOT_SERVER_HOME", str(tmp_path / "home"))
    gguf = Path(shutil.copyfile(good, tmp_path / "tiny.gguf"))
    beside = gguf.parent / unpacked_folder(gguf).name
    beside.mkdir()
    for folder in (beside, gguf.parent):
        for name in ("config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json"):
            (folder / name).write_text("not what it was made of")
    folder = prepared_folder(gguf)
    assert folder.is_relative_to(tmp_path / "home")
    assert "qwen2" in (folder / "config.json").read_text()
    made = (folder / "config.json").stat().st_mtime_ns
    assert prepared_folder(gguf) == folder
    assert (folder / "config.json").stat().st_mtime_ns == made
    # One that others may write to is written again.
    (folder / "config.json").write_text("forged")
    assert (prepared_folder(gguf) / "config.json").read_text() == "forged"
    (folder / "config.json").chmod(0o666)
    assert "qwen2" in (prepared_folder(gguf) / "config.json").read_text()
    assert not any(path.stat().st_mode & 0o022 for path in folder.iterdir())


@pytest.mark.parametrize("length", [0, 3, 24, 200, 5000])
@pytest.mark.parametrize(
    ("make", "path"), [(prepared_folder, unpacked_folder), (described_folder, described_path)]
)
def test_a_file_that_ends_too_soon_is_refused(
    make: Callable[[Path], Path | None], path: Callable[[Path], Path], length: int, good: Path, tmp_path: Path
):
    gguf = tmp_path / "tiny.gguf"
    gguf.write_bytes(good.read_bytes()[:length])
    with pytest.raises(ModelError) as caught:
        make(gguf)
    assert caught.value.remedy
    assert not path(gguf).exists()
