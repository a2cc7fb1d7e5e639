"""What a session records in the statistics: a real server, and ``copilot-server stats`` afterwards."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from copilot_server.statistics.schema import database_path, open_for_reading
from tests.support.lsp_client import GHOST_TEXT, LspClient, inline_params, running_server
from tests.support.paths import TESTS

INLINE = "textDocument/inlineCompletion"
STAND_IN = (str(TESTS / "support" / "lsp_stand_in.py"),)
MARK = "tellnobody"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder for the statistics of this test."""
    monkeypatch.setenv("COPILOT_SERVER_HOME", str(tmp_path))
    return tmp_path / "statistics"


def stats() -> dict[str, Any]:
    command = [sys.executable, "-m", "copilot_server", "stats", "--json"]
    found = subprocess.run(command, capture_output=True, text=True, check=True)
    return dict(json.loads(found.stdout))


async def suggestion(client: LspClient, uri: str, character: int) -> dict[str, Any]:
    (item,) = (await client.request(INLINE, inline_params(uri, 0, character)))["items"]
    return dict(item)


def insert(client: LspClient, uri: str, version: int, character: int, text: str) -> None:
    here = {"line": 0, "character": character}
    client.change(uri, version, {"range": {"start": here, "end": here}, "text": text})


async def session(options: object) -> None:
    """Accept one suggestion by its command and one by inserting its text; ignore one by typing on."""
    text = f"{MARK} = "
    async with running_server(program=STAND_IN) as client:
        await client.initialize(GHOST_TEXT, options, clientInfo={"name": "test editor"})
        for name in ("a", "b", "c"):
            client.open(text, f"file:///{MARK}/{name}.py")
        accepted = await suggestion(client, f"file:///{MARK}/a.py", len(text))
        insert(client, f"file:///{MARK}/a.py", 2, len(text), "ok")
        await client.request("workspace/executeCommand", accepted["command"])
        await suggestion(client, f"file:///{MARK}/b.py", len(text))
        insert(client, f"file:///{MARK}/b.py", 2, len(text), "ok")
        other = await suggestion(client, f"file:///{MARK}/c.py", len(text))
        client.notify("textDocument/didShowCompletion", {"item": other})
        insert(client, f"file:///{MARK}/c.py", 2, len(text), "z")
        client.notify("textDocument/didClose", {"textDocument": {"uri": f"file:///{MARK}/a.py"}})
        assert await client.shut_down() == 0


async def test_a_session_is_counted(folder: Path) -> None:
    await session(None)
    found = stats()
    assert (found["totals"]["offered"], found["totals"]["shown"], found["totals"]["accepted"]) == (3, 3, 2)


@pytest.mark.parametrize("accepts", [False, True])
async def test_a_command_alone_reports_that_a_suggestion_was_accepted(folder: Path, *, accepts: bool) -> None:
    async with running_server(program=STAND_IN) as client:
        await client.initialize()
        item = await suggestion(client, client.open("x = "), 4)
        if accepts:
            await client.request("workspace/executeCommand", item["command"])
        assert await client.shut_down() == 0
    assert (stats()["totals"]["offered"], stats()["totals"]["accepted"]) == (1, int(accepts))


@pytest.mark.parametrize(
    ("options", "model"),
    [
        ({}, r"qwen2\.5-coder-0\.5b"),
        # The name of a model outside the catalogue is its user's own.
        ({"engine": "https://gpu.example.com", "remote": {"model": "c"}}, r"local-[0-9a-f]{20}"),
    ],
)
async def test_the_model_is_the_one_that_writes(folder: Path, options: object, model: str) -> None:
    async with running_server(program=STAND_IN) as client:
        await client.initialize(options=options)
        await suggestion(client, client.open("x = "), 4)
        assert await client.shut_down() == 0
    (name,) = (one["name"] for one in stats()["by_model"])
    assert re.fullmatch(model, name)


async def test_each_suggestion_has_the_eagerness_that_was_set(folder: Path) -> None:
    async with running_server(program=STAND_IN) as client:
        await client.initialize(options={"completion": {"eagerness": "low"}})
        await suggestion(client, client.open("x = ", "file:///a.py"), 4)
        client.notify("workspace/didChangeConfiguration", {"settings": {"completion": {"eagerness": "high"}}})
        uri = client.open("y = ", "file:///b.py")
        await client.request(INLINE, inline_params(uri, 0, 4, invoked=True))
        place = {"textDocument": {"uri": uri}, "position": {"line": 0, "character": 4}}
        await client.request("textDocument/copilotPanelCompletion", place)
        assert await client.shut_down() == 0
    with closing(open_for_reading(database_path())) as connection:
        rows = connection.execute('SELECT DISTINCT "trigger", eagerness FROM suggestions').fetchall()
    assert {tuple(row) for row in rows} == {("automatic", "low"), ("invoked", "high"), ("panel", "high")}
    assert {one["name"] for one in stats()["by_eagerness"]} == {"low", "high"}


async def test_nothing_is_counted_when_it_is_switched_off(folder: Path) -> None:
    await session({"statistics": False})
    assert not folder.exists()


async def test_no_source_is_kept(folder: Path) -> None:
    await session(None)
    written = b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())
    assert b"test editor" in written
    assert MARK.encode() not in written


async def test_statistics_that_cannot_be_written_cost_no_suggestion(folder: Path) -> None:
    folder.write_text("a file where a folder should be")
    await session(None)
