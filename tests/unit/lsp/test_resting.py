"""Suggestions that are off for a while need no engine."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from copilot_server.config import Settings
from copilot_server.lsp import resting
from copilot_server.lsp.server import CopilotServer
from tests.support.lsp_client import inline_params
from tests.support.lsp_stand_in import StandIn, open_stand_in
from tests.support.lsp_wire import URI, Wire

CHANGE = "workspace/didChangeConfiguration"


@pytest.fixture
async def editor() -> AsyncIterator[Wire]:
    editor = Wire(CopilotServer(Settings(), {}, open_stand_in))
    editor.initialize()
    editor.open("x = ")
    yield editor
    editor.end()


async def suggested(editor: Wire) -> list[str]:
    answer = await editor.request("textDocument/inlineCompletion", inline_params(URI, 0, 4))
    return [item["insertText"] for item in answer["items"]]


def switch(editor: Wire, *, enabled: bool) -> None:
    editor.send(CHANGE, {"settings": {"enabled": enabled}})


async def test_the_engine_is_let_go_and_loaded_again(editor: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    assert await suggested(editor) == ["ok"]
    scheduler, loads = editor.server.session.scheduler, StandIn.loads
    monkeypatch.setattr(resting, "REST_S", 0.0)
    switch(editor, enabled=False)
    assert await suggested(editor) == []
    await editor.until(lambda: scheduler.pipeline is None)
    switch(editor, enabled=True)
    assert await suggested(editor) == ["ok"]
    assert StandIn.loads == loads + 1


async def test_an_engine_is_kept_that_is_wanted_again_before(editor: Wire) -> None:
    assert await suggested(editor) == ["ok"]
    scheduler, loads = editor.server.session.scheduler, StandIn.loads
    switch(editor, enabled=False)
    assert await suggested(editor) == []
    assert scheduler.pipeline is not None
    switch(editor, enabled=True)
    assert await suggested(editor) == ["ok"]
    assert StandIn.loads == loads
