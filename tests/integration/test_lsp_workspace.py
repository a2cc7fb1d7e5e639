"""Suggestions that use what other files define, from a server process with the real model."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.lsp_client import LspClient, inline_params, running_server
from tests.support.patience import PATIENCE_S

pytestmark = pytest.mark.model

SETTINGS = '''from dataclasses import dataclass


@dataclass
class Settings:
    """What the user has set."""

    snooze_after_failure_s: float = 1.0
    bucket_prefix: str = ""
'''
MAIN = '''from app.settings import Settings


def pause(settings: Settings, attempt: int) -> float:
    """Return how long to wait before the next attempt."""
    return attempt * settings.'''
#: What only the other file can tell.
NAME = "snooze_after_failure_s"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    app = tmp_path / "project" / "app"
    app.mkdir(parents=True)
    (app / "__init__.py").write_text("")
    (app / "settings.py").write_text(SETTINGS)
    (app / "main.py").write_text(MAIN + NAME + "\n")
    return app.parent


@pytest.fixture
async def client() -> AsyncIterator[LspClient]:
    async with running_server("--offline") as client:
        yield client
        assert await client.shut_down() == 0


async def start(client: LspClient, folder: Path, options: object = None) -> str:
    """Open the folder and the document that uses the other file; return the document's URI."""
    folders = [{"uri": folder.as_uri(), "name": "project"}]
    await client.initialize(options=options, workspaceFolders=folders)
    return client.open(MAIN, (folder / "app" / "main.py").as_uri())


async def first_suggestion(client: LspClient, uri: str) -> str:
    line = MAIN.count("\n")
    answer = await client.request(
        "textDocument/inlineCompletion",
        inline_params(uri, line, len(MAIN.split("\n")[line]), invoked=True),
    )
    return answer["items"][0]["insertText"] if answer["items"] else ""


async def suggested_in_time(client: LspClient, uri: str, wanted: str) -> str:
    """Ask until ``wanted`` is suggested, since the index is made in the background; return what is."""
    deadline_s = time.monotonic() + PATIENCE_S
    while not (suggested := await first_suggestion(client, uri)).startswith(wanted):
        assert time.monotonic() < deadline_s, f"{wanted!r} was never suggested, but {suggested!r}"
        await asyncio.sleep(0.1)
    return suggested


async def test_an_attribute_that_another_file_defines_is_suggested(client: LspClient, folder: Path) -> None:
    uri = await start(client, folder)
    await suggested_in_time(client, uri, NAME)


async def test_without_the_workspace_it_is_not(client: LspClient, folder: Path) -> None:
    uri = await start(client, folder, {"workspace": False})
    assert NAME not in await first_suggestion(client, uri)


async def test_the_unsaved_text_of_another_document_wins_over_its_file(
    client: LspClient, folder: Path
) -> None:
    uri = await start(client, folder)
    await suggested_in_time(client, uri, NAME)
    other = client.open(SETTINGS, (folder / "app" / "settings.py").as_uri())
    client.change(other, 2, {"text": SETTINGS.replace(NAME, "holdoff_after_failure_s")})
    await suggested_in_time(client, uri, "holdoff_after_failure_s")
    client.notify("textDocument/didClose", {"textDocument": {"uri": other}})
    await suggested_in_time(client, uri, NAME)


async def test_a_file_that_another_program_changes_is_read_again(client: LspClient, folder: Path) -> None:
    watching = {"workspace": {"didChangeWatchedFiles": {"dynamicRegistration": True}}}
    client.replies["client/registerCapability"] = lambda _params: None
    folders = [{"uri": folder.as_uri(), "name": "project"}]
    await client.initialize(watching, workspaceFolders=folders)
    registered = await client.notification("client/registerCapability")
    (registration,) = registered["registrations"]
    assert registration["method"] == "workspace/didChangeWatchedFiles"
    assert {"globPattern": "**/*.py"} in registration["registerOptions"]["watchers"]
    uri = client.open(MAIN, (folder / "app" / "main.py").as_uri())
    await suggested_in_time(client, uri, NAME)
    path = folder / "app" / "settings.py"
    path.write_text(SETTINGS.replace(NAME, "holdoff_after_failure_s"))
    client.notify("workspace/didChangeWatchedFiles", {"changes": [{"uri": path.as_uri(), "type": 2}]})
    await suggested_in_time(client, uri, "holdoff_after_failure_s")


async def test_an_excluded_file_is_never_read(client: LspClient, folder: Path) -> None:
    (folder / ".copilotignore").write_text("settings.py\n")
    (folder / "app" / "other.py").write_text("def untouched_by_human_hands(count: int) -> str: ...\n")
    uri = await start(client, folder)
    text = "from app.other import untouched_by_human_hands\n\n\nuntouched_"
    other = client.open(text, (folder / "app" / "use.py").as_uri())
    await first_suggestion(client, uri)
    answer = await client.request("textDocument/inlineCompletion", inline_params(other, 3, 10, invoked=True))
    assert answer["items"]
    assert NAME not in await first_suggestion(client, uri)
