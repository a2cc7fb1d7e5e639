"""Faults on users' machines: each results in a message, and the next request works if it can."""

from __future__ import annotations

import resource
import shutil
import statistics
import sys
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from tests.support.lsp_client import LspClient, Message, ResponseError, inline_params, running_server
from tests.support.paths import TESTS

INLINE = "textDocument/inlineCompletion"
STAND_IN = (str(TESTS / "support" / "lsp_stand_in.py"),)

#: Starts the server with a limit on the size of files, which to a program looks like a full disk.
FULL_DISK = """
import resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, resource.RLIM_INFINITY))
from copilot_server.cli import main
sys.argv[0] = "copilot-server"
main()
"""


def in_state(state: str) -> Callable[[Message], bool]:
    def matches(message: Message) -> bool:
        return message.get("method") == "didChangeStatus" and message["params"]["state"] == state

    return matches


def messages(client: LspClient) -> list[str]:
    return [one["message"] for one in client.messages("window/showMessage")]


async def test_a_slow_engine_is_explained_once() -> None:
    """Without compiled kernels the server works, and the editor says why it is slow."""
    async with running_server("--model", "slow", program=STAND_IN) as client:
        await client.initialize()
        uri = client.open("x = ")
        for _ in range(2):
            assert (await client.request(INLINE, inline_params(uri, 0, 4)))["items"]
        assert [one for one in messages(client) if "kernels" in one] == [
            "copilot-server: The kernels for the CPU were not compiled. Install a C compiler."
        ]
        assert await client.shut_down() == 0


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("boom", "copilot-server: The completion failed (RuntimeError). The log at level DEBUG says more."),
        ("exit", "copilot-server: The completion failed (SystemExit). The log at level DEBUG says more."),
        ("allocate", "copilot-server: The completion failed: memory ran out. Choose a smaller model."),
        ("memory", "copilot-server: Out of memory. Take a smaller model."),
    ],
)
async def test_an_engine_thread_that_fails_is_reported_once_and_goes_on(line: str, message: str) -> None:
    async with running_server(program=STAND_IN) as client:
        await client.initialize()
        uri = client.open(f"{line}\nx = ")
        for _ in range(3):
            with pytest.raises(ResponseError):
                await client.request(INLINE, inline_params(uri, 0, len(line)))
        assert messages(client) == [message]
        assert (await client.request(INLINE, inline_params(uri, 1, 4)))["items"]
        assert await client.shut_down() == 0


@pytest.mark.model
async def test_memory_that_runs_out_in_a_generation_is_reported_and_the_next_one_works() -> None:
    options = {"speed": {"fast": False}, "completion": {"maxNewTokens": 2, "eagerness": "high"}}
    async with running_server("--device", "cpu") as client:
        await client.initialize(options=options)
        text = Path(statistics.__file__).read_text("utf-8")
        last = text.count("\n") - 10
        uri = client.open(text, "file:///long.py")
        await client.wait_for(in_state("ready"))
        address_space = psutil.Process(client.process.pid).memory_info().vms
        limit(client, address_space)
        with pytest.raises(ResponseError, match=r"Memory ran out .* Choose a smaller model"):
            await client.request(INLINE, inline_params(uri, last, 0, invoked=True))
        assert len(messages(client)) == 1
        limit(client, resource.RLIM_INFINITY)
        short = client.open("import os\nx = os.", "file:///short.py")
        assert (await client.request(INLINE, inline_params(short, 1, 7)))["items"]
        assert client.messages("didChangeStatus")[-1]["state"] == "ready"
        assert await client.shut_down() == 0


def limit(client: LspClient, address_space_bytes: int) -> None:
    resource.prlimit(client.process.pid, resource.RLIMIT_AS, (address_space_bytes, resource.RLIM_INFINITY))


async def test_a_model_deleted_while_it_is_served_goes_on(tiny_model_dir: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(tiny_model_dir, tmp_path / "model")
    async with running_server("--model", str(folder), "--max-new-tokens", "8") as client:
        await client.initialize()
        uri = client.open("import os\n\nprint(os.path")
        await client.wait_for(in_state("ready"))
        shutil.rmtree(folder)
        assert "items" in await client.request(INLINE, inline_params(uri, 2, 13, invoked=True))
        assert messages(client) == []
        assert await client.shut_down() == 0


async def test_a_missing_model_is_reported_and_used_when_it_is_back(
    tiny_model_dir: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    async with running_server("--model", str(folder), "--max-new-tokens", "8") as client:
        await client.initialize()
        uri = client.open("import os\n\nprint(os.path")
        await client.wait_for(in_state("error"))
        (message,) = messages(client)
        assert str(folder) in message
        # Typing reports nothing again. An invoked request tries to load, but does not report a second time.
        assert (await client.request(INLINE, inline_params(uri, 2, 13)))["items"] == []
        assert (await client.request(INLINE, inline_params(uri, 2, 13, invoked=True)))["items"] == []
        shutil.copytree(tiny_model_dir, folder, dirs_exist_ok=True)
        await client.request(INLINE, inline_params(uri, 2, 13, invoked=True))
        assert client.messages("didChangeStatus")[-1]["state"] == "ready"
        assert messages(client) == [message]
        assert await client.shut_down() == 0


async def test_a_full_disk_is_reported_and_the_model_is_served_once_there_is_room(
    tiny_model_dir: Path, tmp_path: Path
) -> None:
    """The weights cannot be packed; the editor gets a message, and suggestions once there is room."""
    # This folder has no packed weights, which other tests may have left beside the model.
    folder = shutil.copytree(tiny_model_dir, tmp_path / "model", ignore=shutil.ignore_patterns("packed-*"))
    arguments = ("--model", str(folder), "--max-new-tokens", "8")
    async with running_server(*arguments, program=("-c", FULL_DISK)) as client:
        await client.initialize()
        uri = client.open("import os\n\nprint(os.path")
        await client.wait_for(in_state("error"))
        (message,) = messages(client)
        assert "File too large. Free some disk space" in message
        assert (await client.request(INLINE, inline_params(uri, 2, 13)))["items"] == []
        limits = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
        resource.prlimit(client.process.pid, resource.RLIMIT_FSIZE, limits)
        await client.request(INLINE, inline_params(uri, 2, 13, invoked=True))
        assert client.messages("didChangeStatus")[-1]["state"] == "ready"
        assert messages(client) == [message]
        assert await client.shut_down() == 0


async def test_a_disk_that_fills_up_costs_no_suggestion(tiny_model_dir: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(tiny_model_dir, tmp_path / "model")
    async with running_server("--model", str(folder), "--max-new-tokens", "8") as client:
        await client.initialize()
        uri = client.open("import os\n\nprint(os.path")
        await client.wait_for(in_state("ready"))
        resource.prlimit(client.process.pid, resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
        for _ in range(3):
            assert "items" in await client.request(INLINE, inline_params(uri, 2, 13, invoked=True))
        assert client.messages("didChangeStatus")[-1]["state"] == "ready"
        assert messages(client) == []
        assert await client.shut_down() == 0


async def test_an_editor_that_dies_ends_the_server(tiny_model_dir: Path) -> None:
    async with running_server("--model", str(tiny_model_dir)) as client:
        await client.initialize()
        await client.wire.close()
        assert await client.exit_code() == 1


pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs Linux's limits")
