"""The temporary home of a benchmark, and that none leaves anything with the user."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.home import temporary_home
from copilot_server.catalog import resolve
from copilot_server.config import DEFAULT_MODEL
from copilot_server.engine.models.gguf import prepared_folder
from copilot_server.fetch import ensure
from copilot_server.fetch.store import HOME_VARIABLE, home
from tests.support.paths import REPOSITORY


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


#: How to run each benchmark briefly. The rest need an engine, the folder of a run or a browser, and are
#: tested with those.
COMMANDS = {
    "cpu_dtypes": ["benchmarks/cpu_dtypes.py"],
    "engine_speed": ["-m", "benchmarks.engine_speed", "TINY"],
    "gpu_bench": ["benchmarks/gpu_bench.py", "--quick", "--device", "cpu", "--parts", "shapes"],
    "lsp_overhead": ["-m", "benchmarks.lsp_overhead", "--bursts", "1", "--lines", "100"],
    "middle_protocols": ["-m", "benchmarks.middle_protocols", "1", "causal"],
    "sandbox": ["benchmarks/sandbox.py", "--rounds", "1"],
    "workspace_index": ["-m", "benchmarks.workspace_index", "--files", "20", "--keys", "5"],
}


TAKES_LONGER = {"cpu_dtypes", "sandbox"}


@pytest.fixture
def empty_home(tmp_path: Path) -> dict[str, str]:
    """The environment of a user who has the model, unpacked, and nothing else."""
    prepared_folder(ensure(resolve(DEFAULT_MODEL), offline=True))
    removed = {HOME_VARIABLE, *(f"XDG_{kind}_HOME" for kind in ("CACHE", "CONFIG", "STATE"))}
    environment = {name: value for name, value in os.environ.items() if name not in removed}
    models = tmp_path / ".cache" / "copilot-server" / "models"
    models.parent.mkdir(parents=True)
    models.symlink_to(home() / "models")
    return environment | {"HOME": str(tmp_path)}


@pytest.fixture
def long_context_model(tiny_model_dir: Path, tmp_path: Path) -> Path:
    """The tiny model with room for a benchmark's prompts."""
    folder = tmp_path / "long-context"
    shutil.copytree(tiny_model_dir, folder)
    config = folder / "config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"max_position_embeddings": 2048}))
    return folder


def left_behind(folder: Path) -> set[str]:
    """Return the files below ``folder`` that are the product's."""
    found = (path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    return {path for path in found if "copilot-server" in path}


@pytest.mark.model
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.long] * (name in TAKES_LONGER)) for name in COMMANDS]
)
def test_a_benchmark_leaves_nothing_with_the_user(
    name: str, empty_home: dict[str, str], tmp_path: Path, long_context_model: Path
):
    arguments = [str(long_context_model) if one == "TINY" else one for one in COMMANDS[name]]
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=REPOSITORY,
        env=empty_home,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert left_behind(tmp_path) == set()


@pytest.mark.model
def test_what_a_session_leaves_is_seen(empty_home: dict[str, str], tmp_path: Path, tiny_model_dir: Path):
    """The twin: the same model, chosen by a user's own command."""
    command = [sys.executable, "-m", "copilot_server", "bench", "--model", str(tiny_model_dir)]
    done = subprocess.run(command, env=empty_home, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert left_behind(tmp_path)
