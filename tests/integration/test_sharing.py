"""Servers that share one engine: it is started once, survives each of them, and is replaced when it dies."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from copilot_server.engine.backends.hosted.starting import running_hosts, stop_host
from copilot_server.fetch.store import HOME_VARIABLE
from tests.support.lsp_client import LspClient, Message, ResponseError, inline_params, running_server
from tests.support.shared_server import INLINE

pytestmark = [
    pytest.mark.model,
    pytest.mark.skipif(sys.platform == "win32", reason="engines are shared on Linux and macOS only"),
]
#: What comes while somebody types is greedy, and all of it is shown.
SHOWN = '[completion]\neagerness = "high"\n'
URI, OTHER, THIRD = "file:///a.py", "file:///b.py", "file:///c.py"
TEXT = "import os\n\nprint(os.path"
FLAGS = ("--model", "qwen2.5-coder-0.5b", "--offline", "--device", "cpu")


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """Settings with a shared engine."""
    path = tmp_path / "config.toml"
    path.write_text(f"share = true\n{SHOWN}")
    return path


@pytest.fixture(autouse=True)
def hosts() -> Iterator[None]:
    """End the hosts that a test leaves."""
    yield
    running = [about["pid"] for path, about in running_hosts() if stop_host(path)]
    psutil.wait_procs([psutil.Process(pid) for pid in running if psutil.pid_exists(pid)], timeout=60)


@asynccontextmanager
async def editor(config: Path) -> AsyncIterator[LspClient]:
    """A server with an open document, which shares its engine."""
    async with running_server(*FLAGS, "--config", str(config)) as client:
        await client.initialize()
        client.open(TEXT)
        yield client


async def asked(client: LspClient, uri: str = URI, character: int = 13) -> list[str]:
    """Return what is suggested to somebody who types."""
    answer: Message = await client.request(INLINE, inline_params(uri, 2, character))
    return [item["insertText"] for item in answer["items"]]


async def until_there_is_an_engine(client: LspClient, uri: str, character: int) -> list[str]:
    """Ask until there are suggestions. Each request is answered, with the reason while there is no engine."""
    while True:
        try:
            if items := await asked(client, uri, character):
                return items
        except ResponseError as error:
            assert "shared engine" in str(error)  # noqa: PT017 - it need not be raised


def status() -> list[dict[str, Any]]:
    command = [sys.executable, "-m", "copilot_server", "status", "--json"]
    hosts: list[dict[str, Any]] = json.loads(subprocess.check_output(command))
    return hosts


async def test_servers_that_start_at_once_share_one_engine_which_a_new_one_replaces(config: Path) -> None:
    own = config.with_name("own.toml")
    own.write_text(SHOWN)
    async with running_server(*FLAGS, "--config", str(own)) as alone:
        await alone.initialize()
        alone.open(TEXT)
        expected = await asked(alone)
    assert expected != []
    assert status() == []
    async with editor(config) as one, editor(config) as other:
        assert await asyncio.gather(asked(one), asked(other)) == [expected, expected]
        (host,) = status()
        assert host["clients"] == 2
        assert [model["state"] for model in host["models"]] == ["ready"]
        await other.shut_down()
        assert await asked(one) == expected, "the engine goes on for the other"
        os.kill(host["pid"], signal.SIGKILL)
        assert await asked(one) == expected, "what was suggested before needs no engine"
        one.open(TEXT.replace("path", "environ"), OTHER)
        assert await until_there_is_an_engine(one, OTHER, 16)
        (again,) = status()
        assert again["pid"] != host["pid"]
        command = [sys.executable, "-m", "copilot_server", "stop"]
        assert str(again["pid"]) in subprocess.check_output(command, text=True)
        while psutil.pid_exists(again["pid"]) and psutil.Process(again["pid"]).status() != "zombie":
            await asyncio.sleep(0.05)
        assert status() == [], "nobody needs it now"
        one.open(TEXT.replace("import os", "import os, sys"), THIRD)
        assert await until_there_is_an_engine(one, THIRD, 13)
        assert await one.shut_down() == 0


async def test_where_no_engine_can_be_shared_each_server_has_its_own(
    config: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A socket's path has about a hundred bytes at most."""
    home = tmp_path / ("long" * 30)
    home.symlink_to(os.environ[HOME_VARIABLE])
    environment = {**os.environ, HOME_VARIABLE: str(home)}
    async with running_server(*FLAGS, "--config", str(config), environment=environment) as client:
        await client.initialize()
        client.open(TEXT)
        assert await asked(client) != []
    assert status() == []


def test_a_host_without_clients_ends(tiny_model_dir: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "copilot_server",
        "serve",
        str(tiny_model_dir),
        "--port",
        "0",
        "--linger",
        "1",
    ]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=300, check=True)
    assert "serving" in ended.stderr


def test_a_shared_host_that_can_serve_no_model_says_why_and_ends(tmp_path: Path) -> None:
    """Otherwise the next attempt, with the model mended, would find it."""
    command = [
        sys.executable,
        "-m",
        "copilot_server",
        "serve",
        str(tmp_path),
        "--port",
        "0",
        "--linger",
        "600",
    ]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=300, check=True)
    assert "cannot be served" in ended.stderr
