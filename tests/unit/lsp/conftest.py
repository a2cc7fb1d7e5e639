"""An editor and a server in this process, over the stand-in for a model."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from copilot_server.config import Settings
from copilot_server.lsp.server import CopilotServer
from tests.support.lsp_stand_in import open_stand_in
from tests.support.lsp_wire import Wire


@pytest.fixture
async def editor() -> AsyncIterator[Wire]:
    """One that has not said ``initialize`` yet."""
    editor = Wire(CopilotServer(Settings(), {}, open_stand_in))
    yield editor
    editor.end()
