"""A test run neither reads nor changes the settings, statistics and tunings of the user who runs it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from copilot_server.fetch.store import HOME_VARIABLE
from tests.support.paths import REPOSITORY

#: A session of an editor with a real server and a model.
TEST = """
from pathlib import Path
from tests.support.lsp_client import inline_params, running_server

async def test_a_session(tiny_model_dir: Path):
    async with running_server("--model", str(tiny_model_dir), "--max-new-tokens", "4") as client:
        await client.initialize()
        uri = client.open("import os\\nx = os.")
        await client.request("textDocument/inlineCompletion", inline_params(uri, 1, 7, invoked=True))
        assert await client.shut_down() == 0
"""
#: The same session without the fixtures of ``tests/conftest.py``.
TWIN = """
import asyncio, sys
from pathlib import Path
from test_session import test_a_session
asyncio.run(test_a_session(Path(sys.argv[1])))
"""


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """A user whose settings name a model that does not exist."""
    (tmp_path / "test_session.py").write_text(TEST)
    settings = tmp_path / ".config" / "copilot-server"
    settings.mkdir(parents=True)
    (settings / "config.toml").write_text('nonsense = "no server starts with this"\n')
    removed = {
        HOME_VARIABLE,
        "PYTEST_ADDOPTS",
        *(f"XDG_{kind}_HOME" for kind in ("CACHE", "CONFIG", "STATE")),
    }
    kept = {name: value for name, value in os.environ.items() if name not in removed}
    return kept | {"HOME": str(tmp_path), "PYTHONPATH": f"{REPOSITORY}:{tmp_path}"}


def run(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *arguments]
    return subprocess.run(
        command, env=environment, cwd=REPOSITORY, capture_output=True, text=True, check=False
    )


def files(folder: Path) -> set[str]:
    found = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return {str(path) for path in found if "copilot-server" in path.parts}


def test_a_run_leaves_the_users_folders_alone(environment: dict[str, str], tmp_path: Path):
    flags = ("-q", "-p", "no:cacheprovider", "-p", "tests.conftest", "-c", "pyproject.toml")
    done = run(environment, "-m", "pytest", *flags, str(tmp_path / "test_session.py"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert files(tmp_path) == {".config/copilot-server/config.toml"}


def test_the_same_session_of_a_user_is_seen(
    environment: dict[str, str], tmp_path: Path, tiny_model_dir: Path
):
    assert run(environment, "-c", TWIN, str(tiny_model_dir)).returncode != 0  # the settings are read
    (tmp_path / ".config" / "copilot-server" / "config.toml").unlink()
    done = run(environment, "-c", TWIN, str(tiny_model_dir))
    assert done.returncode == 0, done.stderr
    assert ".local/state/copilot-server/statistics/suggestions.sqlite3" in files(tmp_path)
