"""The temporary home of a benchmark."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from benchmarks.home import temporary_home
from copilot_server.fetch.store import HOME_VARIABLE, home


@pytest.fixture
def users(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    model = tmp_path / "models" / "tiny"
    model.mkdir(parents=True)
    (model / "tiny.gguf").write_bytes(b"GGUF")
    (model / ".lock").touch()
    monkeypatch.setenv(HOME_VARIABLE, str(tmp_path))
    return tmp_path


def test_it_has_the_models_and_nothing_else_of_the_user(users: Path):
    (users / "statistics").mkdir()
    with temporary_home() as folder:
        assert home() == folder != users
        assert [path.name for path in folder.iterdir()] == ["models"]
        assert [path.name for path in (folder / "models" / "tiny").iterdir()] == ["tiny.gguf"]
        assert (folder / "models" / "tiny" / "tiny.gguf").read_bytes() == b"GGUF"


def test_what_is_written_beside_a_model_is_not_the_users(users: Path):
    with temporary_home() as folder:
        (folder / "models" / "tiny" / "packed").touch()
    assert not folder.exists()
    assert sorted(path.name for path in (users / "models" / "tiny").iterdir()) == [".lock", "tiny.gguf"]


def test_the_environment_is_restored(users: Path):
    before = dict(os.environ)

    def fail() -> None:
        assert os.environ[HOME_VARIABLE] != str(users)
        raise RuntimeError

    with pytest.raises(RuntimeError), temporary_home():
        fail()
    assert dict(os.environ) == before


def test_a_user_without_models_has_a_home_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv(HOME_VARIABLE, str(tmp_path / "none"))
    with temporary_home() as folder:
        assert home() == folder
